#include "service/up/up.h"

#include "engine/base/clock.h"
#include "service/common/log.h"
#include "service/common/notify.h"
#include "service/common/signals.h"
#include "service/store/folders.h"
#include "service/store/redis.h"
#include "service/store/schema.h"
#include "service/up/private_redis.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    WATCH_MS = 100,
    MAX_EARLY_DEATHS = 6, /* at the start: who never gets ready will not get better */
    REDIS_START_MS = 60000,
    REDIS_END_MS = 15000,
    LEFTOVER_MS = 60 * 60 * 1000
};

enum role { ROLE_REDIS, ROLE_SERVE, ROLE_WORK, ROLE_COUNT };

struct up {
    const struct config *config;
    struct child child[ROLE_COUNT]; /* Redis has no arguments when it is not ours */
    struct notifier notifier;
    int lock_fd;
    bool announced;
};

/* ---- setting up ---- */

/* One `up` for a data directory. The file says whose it is. */
static enum status take_directory(struct up *up, struct error *err) {
    char path[FILE_PATH_BYTES], owner[32] = "";
    enum status status = config_path(up->config, "up.lock", path, err);
    if (!status)
        status = file_make_dirs(up->config->data, err);
    if (status)
        return status;
    up->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (up->lock_fd < 0)
        return error_set_errno(err, errno, "opening %s", path);
    if (flock(up->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t len = read(up->lock_fd, owner, sizeof owner - 1);
        return error_set(err, STATUS_CONFLICT, "data directory %s is in use by process %s",
                         up->config->data, len > 0 ? owner : "(unknown)");
    }
    if (ftruncate(up->lock_fd, 0) != 0 || dprintf(up->lock_fd, "%d", (int)getpid()) < 0)
        return error_set_errno(err, errno, "writing %s", path);
    return STATUS_OK;
}

/* The same settings for a role; the port is replaced once it is known (pin_port). */
static void add_role(struct child *child, const char *program, const char *role, int argc,
                     char *const *argv) {
    child_add_arg(child, program);
    child_add_arg(child, role);
    for (int i = 0; i < argc; i++)
        child_add_arg(child, argv[i]);
}

static enum status own_program(char out[FILE_PATH_BYTES], struct error *err) {
    ssize_t len = readlink("/proc/self/exe", out, FILE_PATH_BYTES - 1);
    if (len < 0)
        return error_set_errno(err, errno, "finding this program");
    out[len] = '\0';
    return STATUS_OK;
}

static enum status set_up(struct up *up, int argc, char *const *argv, struct error *err) {
    char program[FILE_PATH_BYTES] = "";
    struct redis_address address; /* what is wrong with it is told before anything starts */
    enum status status = redis_address_of(&address, up->config, err);
    if (!status)
        status = schema_check_data(up->config->data, err);
    if (!status)
        status = take_directory(up, err);
    if (!status)
        status = own_program(program, err);
    if (!status)
        status = folders_join(up->config->data, LEFTOVER_MS, err);
    if (!status && config_redis_is_private(up->config))
        status = private_redis_init(&up->child[ROLE_REDIS], up->config, err);
    add_role(&up->child[ROLE_SERVE], program, "serve", argc, argv);
    add_role(&up->child[ROLE_WORK], program, "work", argc, argv);
    return status;
}

static bool is_ours(const struct up *up, enum role role) {
    return up->child[role].argc > 0;
}

/* ---- starting ---- */

static enum status wait_for_redis(struct up *up, struct error *err) {
    struct redis_address address;
    enum status status = redis_address_of(&address, up->config, err);
    if (status)
        return status;
    struct redis_pool *pool = pool_create(&address, 1);
    int64_t deadline_ns = clock_mono_ns() + (int64_t)REDIS_START_MS * NS_PER_MS;
    do {
        status = pool_ping(pool, err);
        if (status && child_has_ended(&up->child[ROLE_REDIS])) {
            status = error_set(err, STATUS_UNAVAILABLE,
                               "redis-server cannot run; is it installed? (see %s/redis/redis.log, "
                               "or give redis=URL)",
                               up->config->data);
            break;
        }
    } while (status && !signals_wait(WATCH_MS / 4) && clock_mono_ns() < deadline_ns);
    if (!status)
        status = schema_prepare(up->config->data, pool, err);
    pool_free(pool);
    return status;
}

static enum status start_all(struct up *up, struct error *err) {
    enum status status = STATUS_OK;
    if (is_ours(up, ROLE_REDIS)) {
        status = child_start(&up->child[ROLE_REDIS], err);
        if (!status)
            status = wait_for_redis(up, err);
    }
    if (!status)
        status = child_start(&up->child[ROLE_SERVE], err);
    if (!status)
        status = child_start(&up->child[ROLE_WORK], err);
    return status;
}

/* ---- watching ---- */

/* A free port that was found once is kept, so that clients find a restarted server. */
static void pin_port(struct child *serve) {
    char text[CHILD_LINE_BYTES];
    const char *colon = strrchr(serve->line, ':');
    if (!colon)
        return;
    snprintf(text, sizeof text, "port=%.16s", colon + 1);
    for (int i = 2; i < serve->argc; i++)
        if (str_has_prefix(serve->argv[i], "port=")) {
            free(serve->argv[i]);
            serve->argv[i] = xstrdup(text);
        }
}

static void announce(struct up *up) {
    bool serving = child_is_ready(&up->child[ROLE_SERVE]);
    bool working = child_is_ready(&up->child[ROLE_WORK]);
    if (up->announced || !serving || !working)
        return;
    pin_port(&up->child[ROLE_SERVE]);
    printf("distilld ready %s\n", up->child[ROLE_SERVE].line);
    fflush(stdout);
    notifier_ready(&up->notifier, "listening on %s", up->child[ROLE_SERVE].line);
    up->announced = true;
}

/* Restarts what has ended. False when something cannot be brought to run at all. What has run once
 * is tried for ever: a full disk, which ends Redis, is tidied up some day. */
static bool look_after(const struct up *up, struct child *child, struct error *err) {
    if (child->argc == 0)
        return true;
    child_has_ended(child);
    const char *refusal = child_refusal(child);
    if (!up->announced && refusal) {
        error_set(err, STATUS_INVALID, "%s: %s", child->name, refusal);
        return false;
    }
    if (!up->announced && child->early_deaths >= MAX_EARLY_DEATHS) {
        error_set(err, STATUS_UNAVAILABLE, "%s ended %d times before it was ready; see the log",
                  child->name, child->early_deaths);
        return false;
    }
    return !child_is_due(child) || child_start(child, err) == STATUS_OK;
}

static bool watch(struct up *up, struct error *err) {
    while (!signals_wait(WATCH_MS)) {
        for (int role = 0; role < ROLE_COUNT; role++)
            if (!look_after(up, &up->child[role], err))
                return false;
        announce(up);
        if (signals_take_reload())
            child_hang_up(&up->child[ROLE_SERVE]);
        notifier_alive(&up->notifier);
    }
    return true;
}

/* ---- ending ---- */

/* Worker and server need Redis to end in order, so it goes last. */
static void end_all(struct up *up) {
    int64_t deadline_ns = clock_mono_ns() + up->config->drain_ms * NS_PER_MS;
    log_info("draining");
    notifier_stopping(&up->notifier);
    child_ask_to_end(&up->child[ROLE_WORK]);
    child_ask_to_end(&up->child[ROLE_SERVE]);
    child_await_end(&up->child[ROLE_WORK], deadline_ns);
    child_await_end(&up->child[ROLE_SERVE], deadline_ns);
    child_ask_to_end(&up->child[ROLE_REDIS]);
    child_await_end(&up->child[ROLE_REDIS], clock_mono_ns() + (int64_t)REDIS_END_MS * NS_PER_MS);
}

int up_main(const struct config *config, int argc, char *const *argv) {
    struct up up = {.config = config, .lock_fd = -1};
    struct error err = {0};
    notifier_open(&up.notifier);
    if (config->tls_cert[0])
        signals_reload_on_hangup();
    child_init(&up.child[ROLE_REDIS], "redis", false);
    child_init(&up.child[ROLE_SERVE], "serve", true);
    child_init(&up.child[ROLE_WORK], "work", true);
    bool begun = set_up(&up, argc, argv, &err) == STATUS_OK;
    bool well = begun && start_all(&up, &err) == STATUS_OK && watch(&up, &err);
    bool failed = !well && !signals_stop();
    if (begun)
        end_all(&up);
    if (failed) /* last, where it is seen */
        fprintf(stderr, "distilld up: %s\n", err.message);
    for (int role = 0; role < ROLE_COUNT; role++)
        child_release(&up.child[role]);
    if (up.lock_fd >= 0)
        close(up.lock_fd);
    notifier_close(&up.notifier);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
