/* Connections, pool and feed against a real Redis that is killed, stopped and locked. */
#include "service/store/jobs.h"
#include "service/store/scripts.h"
#include "tests/support/redis_fixture.h"

#include <hiredis/hiredis.h>
#include <pthread.h>

static struct redis_fixture fixture;
static struct error why;

static void must(enum status status, const char *what) {
    if (status)
        T_FAIL("%s: %s", what, why.message);
}

static void test_addresses(void) {
    static const struct {
        const char *url, *unix_path, *host, *user, *password;
        int port, database;
    } good[] = {
        {"unix:///run/r.sock", "/run/r.sock", "", "", "", 0, 0},
        {"redis://h", "", "h", "", "", 6379, 0},
        {"redis://h:1/2", "", "h", "", "", 1, 2},
        {"redis://u%40@h:1", "", "h", "u@", "", 1, 0},
        {"redis://u@h/3", "", "h", "u", "", 6379, 3},
        {"unix://u@/run/r@.sock", "/run/r@.sock", "", "u", "", 0, 0},
        {"redis://[::1]:7/0", "", "::1", "", "", 7, 0},
        {"redis://[::1]", "", "::1", "", "", 6379, 0},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct redis_address address;
        must(redis_address_parse(&address, good[i].url, 1, &why), good[i].url);
        T_STR(address.unix_path, good[i].unix_path);
        T_STR(address.host, good[i].host);
        T_STR(address.user, good[i].user);
        T_STR(address.password, good[i].password);
        T_INT(address.port, good[i].port);
        T_INT(address.database, good[i].database);
    }
    static const char *const bad[] = {
        "",
        "h:1",
        "http://h",
        "redis://",
        "redis://:1",
        "unix://rel",
        "redis://h:x",
        "redis://h:1/x",
        "redis://h:70000",
        "redis://[::1",
        "redis://@h",
        "redis://%zz@h",
        "redis://%00@h",
        "redis://:secret@h",
        "redis://u:secret@h",
        "unix://u:secret@/run/r.sock",
        "unix://@/run/r.sock",
        "redis://[::1]7",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct redis_address address;
        if (redis_address_parse(&address, bad[i], 1, &why) != STATUS_INVALID)
            T_FAIL("%s was accepted", bad[i]);
        T_STR(why.field, "redis");
        T_CHECK(!strstr(why.message, "secret"));
    }
}

static int64_t first_count(void) {
    int64_t count[JOB_STATE_COUNT];
    must(jobs_count(fixture.pool, count, &why), "count");
    return count[0];
}

static void test_scripts_come_back_after_a_flush(void) {
    T_INT(first_count(), 0);
    FIXTURE_DO(&fixture, "SCRIPT", "FLUSH");
    T_INT(first_count(), 0);
}

static void test_a_failing_script_is_an_internal_error(void) {
    static const struct script broken = {"broken", "return redis.call('NOSUCH')",
                                         "0000000000000000000000000000000000000000"};
    struct redis_args args = {0};
    struct redisReply *reply = NULL;
    T_INT(pool_script(fixture.pool, &broken, &args, &reply, &why), STATUS_INTERNAL);
    T_CONTAINS(why.message, "script broken");
    T_CHECK(reply == NULL);
}

static void submit_one(char id[ID_BYTES]) {
    struct train_spec spec;
    struct job job, out;
    struct id_source ids;
    bool created;
    fields_default(&train_spec_table, &spec);
    str_copy(spec.student, sizeof spec.student, "resnet8");
    str_copy(spec.dataset, sizeof spec.dataset, "digits");
    must(train_spec_finish(&spec, &why), "spec");
    id_source_init(&ids);
    id_make(&ids, ID_PREFIX_JOB, id);
    id_source_release(&ids);
    job_init(&job, id, &spec, 0);
    struct submission submission = {.job = &job};
    must(jobs_submit(fixture.pool, &submission, &out, &created, &why), "submit");
}

/* kill -9 loses nothing that was answered, and the pool needs no help to find the new server. */
static void test_a_killed_redis_is_found_again(void) {
    char id[ID_BYTES];
    struct job job;
    submit_one(id);
    fixture_kill(&fixture);
    T_INT(jobs_get(fixture.pool, id, &job, &why), STATUS_UNAVAILABLE);
    T_INT(pool_ping(fixture.pool, &why), STATUS_UNAVAILABLE);
    fixture_start(&fixture);
    must(jobs_get(fixture.pool, id, &job, &why), "get");
    T_STR(job.id, id);
}

/* A server that restarts between two calls: the first call after it works at once. */
static void test_a_restart_between_calls_is_not_noticed(void) {
    must(pool_ping(fixture.pool, &why), "ping");
    struct redis *warm;
    must(pool_take(fixture.pool, &warm, &why), "take");
    struct redis_args ping = {0};
    struct redisReply *reply = NULL;
    redis_args_text(&ping, "PING");
    must(redis_call(warm, &ping, &reply, &why), "ping");
    redis_reply_free(reply);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    must(redis_call(warm, &ping, &reply, &why), "ping");
    redis_reply_free(reply);
    pool_give(fixture.pool, warm);
}

/* One call waits for an answer in vain; the others do not wait at all. */
static void test_a_hung_redis_times_out(void) {
    struct redis_address address = fixture.address;
    address.timeout_ms = 500;
    struct redis_pool *pool = pool_create(&address, 2);
    must(pool_ping(pool, &why), "ping");
    kill(fixture.pid, SIGSTOP);
    T_INT(pool_ping(pool, &why), STATUS_UNAVAILABLE);
    T_CONTAINS(why.message, "500 ms");
    int64_t begun_ns = clock_mono_ns();
    for (int i = 0; i < 100; i++)
        T_INT(pool_ping(pool, &why), STATUS_UNAVAILABLE);
    T_CHECK(clock_mono_ns() - begun_ns < 25000000000LL);
    T_CONTAINS(why.message, "hangs");
    kill(fixture.pid, SIGCONT);
    enum status status = STATUS_UNAVAILABLE;
    for (int i = 0; i < 1000 && status; i++) {
        clock_sleep_ms(10);
        status = pool_ping(pool, &why);
    }
    T_INT(status, STATUS_OK);
    pool_free(pool);
}

/* The late answer to a call that timed out must not be taken for the next call's. */
static void test_late_answers_are_not_mixed_up(void) {
    struct redis_address address = fixture.address;
    address.timeout_ms = 500;
    struct redis *redis = redis_create(&address);
    struct redis_args echo = {0}, again = {0};
    struct redisReply *reply = NULL;
    redis_args_text(&echo, "ECHO");
    redis_args_text(&echo, "first");
    redis_args_text(&again, "ECHO");
    redis_args_text(&again, "second");
    must(redis_call(redis, &echo, &reply, &why), "echo");
    redis_reply_free(reply);
    kill(fixture.pid, SIGSTOP);
    T_INT(redis_call(redis, &echo, &reply, &why), STATUS_UNAVAILABLE);
    kill(fixture.pid, SIGCONT);
    must(redis_call(redis, &again, &reply, &why), "echo");
    T_STR(reply->str, "second");
    redis_reply_free(reply);
    redis_free(redis);
}

static void test_login_is_repeated_after_a_restart(void) {
    char url[400];
    struct redis_address address;
    struct redis_args get = {0}, set = {0};
    struct redisReply *reply = NULL;
    FIXTURE_DO(&fixture, "CONFIG", "SET", "requirepass", "se:cret");
    /* redis:// has no unix path, so the login is filled in by hand. */
    snprintf(url, sizeof url, "%s", fixture.url);
    must(redis_address_parse(&address, url, 2000, &why), "address");
    str_copy(address.password, sizeof address.password, "se:cret");
    address.database = 3;
    struct redis *redis = redis_create(&address);
    redis_args_text(&set, "SET");
    redis_args_text(&set, "here");
    redis_args_text(&set, "three");
    must(redis_call(redis, &set, &reply, &why), "set");
    redis_reply_free(reply);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    FIXTURE_DO(&fixture, "CONFIG", "SET", "requirepass", "se:cret");
    redis_args_text(&get, "GET");
    redis_args_text(&get, "here");
    must(redis_call(redis, &get, &reply, &why), "get");
    T_STR(reply->str, "three"); /* logged in, and in the same database */
    redis_reply_free(reply);
    redis_free(redis);
    struct redis_pool *stranger = pool_create(&fixture.address, 1);
    T_INT(pool_ping(stranger, &why), STATUS_UNAVAILABLE);
    T_CONTAINS(why.message, "NOAUTH");
    pool_free(stranger);
    fixture_kill(&fixture);
    fixture_start(&fixture);
}

static void test_an_exhausted_pool_says_so(void) {
    struct redis_address address = fixture.address;
    address.timeout_ms = 500;
    struct redis_pool *pool = pool_create(&address, 1);
    struct redis *only, *none;
    must(pool_take(pool, &only, &why), "take");
    T_INT(pool_take(pool, &none, &why), STATUS_UNAVAILABLE);
    T_CONTAINS(why.message, "busy");
    pool_give(pool, only);
    must(pool_ping(pool, &why), "ping");
    pool_free(pool);
}

static void test_settings_are_judged(void) {
    struct str warning = STR_INIT;
    must(pool_check_settings(fixture.pool, &warning, &why), "settings");
    T_STR(str_text(&warning), "");
    FIXTURE_DO(&fixture, "CONFIG", "SET", "appendfsync", "everysec");
    FIXTURE_DO(&fixture, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    must(pool_check_settings(fixture.pool, &warning, &why), "settings");
    T_CONTAINS(str_text(&warning), "appendfsync is everysec");
    T_CONTAINS(str_text(&warning), "maxmemory-policy is allkeys-lru");
    T_CHECK(!strstr(str_text(&warning), "appendonly"));
    FIXTURE_DO(&fixture, "CONFIG", "SET", "appendfsync", "always");
    FIXTURE_DO(&fixture, "CONFIG", "SET", "maxmemory-policy", "noeviction");
    str_release(&warning);
}

/* What a full Redis refuses is not there later: not a fault of the call. */
static void test_a_full_redis_is_unavailable(void) {
    FIXTURE_DO(&fixture, "CONFIG", "SET", "maxmemory", "1");
    struct job out;
    T_INT(jobs_change(fixture.pool, JOB_EVENT_CANCEL, "job_X", &out, &why), STATUS_NOT_FOUND);
    struct train_spec spec;
    struct job job;
    bool created;
    fields_default(&train_spec_table, &spec);
    job_init(&job, "job_Y", &spec, 0);
    struct submission submission = {.job = &job};
    T_INT(jobs_submit(fixture.pool, &submission, &out, &created, &why), STATUS_UNAVAILABLE);
    FIXTURE_DO(&fixture, "CONFIG", "SET", "maxmemory", "0");
    T_INT(jobs_get(fixture.pool, "job_Y", &out, &why), STATUS_NOT_FOUND);
}

struct seen {
    int missed, changes;
    char last[ID_BYTES];
};

static void see(void *ctx, const char *id) {
    struct seen *seen = ctx;
    if (!id) {
        seen->missed++;
        return;
    }
    seen->changes++;
    str_copy(seen->last, sizeof seen->last, id);
}

static void test_the_feed_tells_of_changes(void) {
    struct feed *feed = feed_create(&fixture.address);
    struct seen seen = {0};
    char id[ID_BYTES];
    must(feed_wait(feed, 10, see, &seen, &why), "wait");
    T_INT(seen.missed, 1); /* before the first wait anything may have happened */
    must(feed_wait(feed, 10, see, &seen, &why), "wait");
    T_INT(seen.missed + seen.changes, 1);
    submit_one(id);
    must(feed_wait(feed, 1000, see, &seen, &why), "wait");
    T_CHECK(seen.changes > 0);
    T_STR(seen.last, id);
    fixture_kill(&fixture);
    T_INT(feed_wait(feed, 10, see, &seen, &why), STATUS_UNAVAILABLE);
    fixture_start(&fixture);
    must(feed_wait(feed, 10, see, &seen, &why), "wait");
    T_INT(seen.missed, 2);
    feed_free(feed);
}

static void *submit_later(void *ctx) {
    clock_sleep_ms(50);
    submit_one(ctx);
    return NULL;
}

static void test_the_feed_wakes_at_once(void) {
    struct feed *feed = feed_create(&fixture.address);
    struct seen seen = {0};
    char id[ID_BYTES];
    pthread_t thread;
    must(feed_wait(feed, 10, see, &seen, &why), "wait");
    pthread_create(&thread, NULL, submit_later, id);
    int64_t begin_ns = clock_mono_ns();
    must(feed_wait(feed, 60000, see, &seen, &why), "wait");
    T_CHECK(clock_mono_ns() - begin_ns < 30000000000);
    T_CHECK(seen.changes > 0);
    pthread_join(thread, NULL);
    feed_free(feed);
}

int main(void) {
    fixture_open(&fixture);
    T_RUN(test_addresses);
    T_RUN(test_scripts_come_back_after_a_flush);
    T_RUN(test_a_failing_script_is_an_internal_error);
    T_RUN(test_a_killed_redis_is_found_again);
    T_RUN(test_a_restart_between_calls_is_not_noticed);
    T_RUN(test_a_hung_redis_times_out);
    T_RUN(test_late_answers_are_not_mixed_up);
    T_RUN(test_login_is_repeated_after_a_restart);
    T_RUN(test_an_exhausted_pool_says_so);
    T_RUN(test_settings_are_judged);
    T_RUN(test_a_full_redis_is_unavailable);
    T_RUN(test_the_feed_tells_of_changes);
    T_RUN(test_the_feed_wakes_at_once);
    fixture_close(&fixture);
    return t_done();
}
