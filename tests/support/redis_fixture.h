/*
 * redis_fixture.h - a redis-server of the test's own, on a unix socket in a fresh directory.
 *
 * It syncs every write, so that it can be killed and started again without losing any. Where no
 * redis-server is installed the test is skipped (exit status 77).
 */
#ifndef TESTS_SUPPORT_REDIS_FIXTURE_H
#define TESTS_SUPPORT_REDIS_FIXTURE_H

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "service/store/redis.h"
#include "tests/support/t.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct redis_fixture {
    char dir[256], socket[300], url[320];
    pid_t pid;
    struct redis_address address;
    struct redis_pool *pool;
};

static inline void fixture_start(struct redis_fixture *fixture) {
    fixture->pid = fork();
    if (fixture->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", fixture->socket,
               "--dir", fixture->dir, "--appendonly", "yes", "--appendfsync", "always", "--save",
               "", "--logfile", "/dev/null", (char *)NULL);
        _exit(77);
    }
    for (int tries = 0; tries < 500 && pool_ping(fixture->pool, NULL) != STATUS_OK; tries++) {
        int how;
        if (waitpid(fixture->pid, &how, WNOHANG) == fixture->pid) {
            fprintf(stderr, "redis-server cannot run\n");
            exit(77);
        }
        clock_sleep_ms(10);
    }
}

/* kill -9, as a crash would. */
static inline void fixture_kill(struct redis_fixture *fixture) {
    kill(fixture->pid, SIGKILL);
    waitpid(fixture->pid, NULL, 0);
}

static inline void fixture_open(struct redis_fixture *fixture) {
    struct error err = {0};
    snprintf(fixture->dir, sizeof fixture->dir, "%s", t_temp_dir());
    snprintf(fixture->socket, sizeof fixture->socket, "%s/r.sock", fixture->dir);
    snprintf(fixture->url, sizeof fixture->url, "unix://%s", fixture->socket);
    if (redis_address_parse(&fixture->address, fixture->url, 10000, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    fixture->pool = pool_create(&fixture->address, 4);
    fixture_start(fixture);
}

static inline void fixture_close(struct redis_fixture *fixture) {
    pool_free(fixture->pool);
    fixture_kill(fixture);
    enum status status = file_remove_all(fixture->dir, NULL);
    if (status)
        fprintf(stderr, "%s is left\n", fixture->dir);
}

/* One command, for damaging the store. */
static inline void fixture_command(struct redis_fixture *fixture, const char *const *words) {
    struct redis_args args = {0};
    struct redis *redis;
    struct redisReply *reply = NULL;
    for (int i = 0; words[i]; i++)
        redis_args_text(&args, words[i]);
    if (pool_take(fixture->pool, &redis, NULL) != STATUS_OK)
        abort();
    if (redis_call(redis, &args, &reply, NULL) != STATUS_OK)
        T_FAIL("%s failed", words[0]);
    pool_give(fixture->pool, redis);
    redis_reply_free(reply);
}
#define FIXTURE_DO(fixture, ...) fixture_command(fixture, (const char *const[]){__VA_ARGS__, NULL})

#endif
