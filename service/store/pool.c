#include "service/store/redis.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/str.h"
#include "service/common/log.h"

#include <hiredis/hiredis.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct redis_pool {
    pthread_mutex_t lock;
    pthread_cond_t returned; /* or Redis hangs */
    int timeout_ms;
    int size, free_count;
    struct redis **connection;      /* [size], all of them */
    struct redis **free_connection; /* [free_count], used as a stack: the warmest first */

    pthread_t prober;
    struct redis *probe;     /* the prober's connection */
    pthread_cond_t to_do;    /* for the prober */
    bool hangs, is_stopping; /* the last answer did not come in time; pool_free waits */
};

/* ---- a Redis that hangs ---- */

/* Whether what began then failed because no answer came, and not because there is nobody. */
static bool ran_out(const struct redis_pool *pool, enum status status, int64_t begun_ns) {
    int64_t enough_ns = (int64_t)pool->timeout_ms * NS_PER_MS / 2; /* timers are not exact */
    return status == STATUS_UNAVAILABLE && clock_mono_ns() - begun_ns >= enough_ns;
}

static void note_hang(struct redis_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    if (!pool->hangs)
        log_warn("redis_hangs", log_int("timeout_ms", pool->timeout_ms));
    pool->hangs = true;
    pthread_cond_broadcast(&pool->returned);
    pthread_cond_signal(&pool->to_do);
    pthread_mutex_unlock(&pool->lock);
}

static bool still_hangs(struct redis_pool *pool) {
    struct redis_args ping = {0};
    struct redisReply *reply = NULL;
    int64_t begun_ns = clock_mono_ns();
    redis_args_text(&ping, "PING");
    enum status status = redis_call(pool->probe, &ping, &reply, NULL);
    redis_reply_free(reply);
    return ran_out(pool, status, begun_ns);
}

/* Waits in the place of all callers, which would hold up what needs no Redis meanwhile. */
static void *probe_run(void *ctx) {
    struct redis_pool *pool = ctx;
    pthread_mutex_lock(&pool->lock);
    while (!pool->is_stopping) {
        if (!pool->hangs) {
            pthread_cond_wait(&pool->to_do, &pool->lock);
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        bool hangs = still_hangs(pool);
        pthread_mutex_lock(&pool->lock);
        pool->hangs = hangs;
        if (!hangs)
            log_info("redis_answers");
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void prober_start(struct redis_pool *pool, const struct redis_address *address) {
    pool->probe = redis_create(address);
    pthread_cond_init(&pool->to_do, NULL);
    CHECK(pthread_create(&pool->prober, NULL, probe_run, pool) == 0);
}

static void prober_stop(struct redis_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    pthread_cond_signal(&pool->to_do);
    pthread_mutex_unlock(&pool->lock);
    pthread_join(pool->prober, NULL);
    pthread_cond_destroy(&pool->to_do);
    redis_free(pool->probe);
}

/* ---- the pool ---- */

struct redis_pool *pool_create(const struct redis_address *address, int size) {
    struct redis_pool *pool = xcalloc(1, sizeof *pool);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->returned, &attributes);
    pthread_condattr_destroy(&attributes);
    pool->timeout_ms = address->timeout_ms;
    pool->size = pool->free_count = size;
    pool->connection = xcalloc((size_t)size, sizeof *pool->connection);
    pool->free_connection = xcalloc((size_t)size, sizeof *pool->free_connection);
    for (int i = 0; i < size; i++)
        pool->connection[i] = pool->free_connection[i] = redis_create(address);
    prober_start(pool, address);
    return pool;
}

void pool_free(struct redis_pool *pool) {
    if (!pool)
        return;
    CHECK(pool->free_count == pool->size);
    prober_stop(pool);
    for (int i = 0; i < pool->size; i++)
        redis_free(pool->connection[i]);
    pthread_cond_destroy(&pool->returned);
    pthread_mutex_destroy(&pool->lock);
    free(pool->connection);
    free(pool->free_connection);
    free(pool);
}

static struct timespec deadline_after(int ms) {
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += ms / 1000;
    deadline.tv_nsec += ms % 1000 * 1000000L;
    if (deadline.tv_nsec >= 1000000000L) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000L;
    }
    return deadline;
}

enum status pool_take(struct redis_pool *pool, struct redis **redis, struct error *err) {
    struct timespec deadline = deadline_after(pool->timeout_ms);
    int timed_out = 0;
    *redis = NULL;
    pthread_mutex_lock(&pool->lock);
    while (pool->free_count == 0 && !timed_out && !pool->hangs)
        timed_out = pthread_cond_timedwait(&pool->returned, &pool->lock, &deadline);
    bool hangs = pool->hangs;
    if (pool->free_count > 0 && !hangs)
        *redis = pool->free_connection[--pool->free_count];
    pthread_mutex_unlock(&pool->lock);
    if (hangs)
        return error_set(err, STATUS_UNAVAILABLE, "redis does not answer: it hangs");
    if (!*redis)
        return error_set(err, STATUS_UNAVAILABLE, "redis: all %d connections are busy", pool->size);
    return STATUS_OK;
}

void pool_give(struct redis_pool *pool, struct redis *redis) {
    pthread_mutex_lock(&pool->lock);
    CHECK(pool->free_count < pool->size);
    pool->free_connection[pool->free_count++] = redis;
    pthread_cond_signal(&pool->returned);
    pthread_mutex_unlock(&pool->lock);
}

/* Runs the script, or the command that args are if it is NULL. */
static enum status pool_run(struct redis_pool *pool, const struct script *script,
                            const struct redis_args *args, struct redisReply **reply,
                            struct error *err) {
    struct redis *redis;
    enum status status = pool_take(pool, &redis, err);
    if (status)
        return status;
    int64_t begun_ns = clock_mono_ns();
    status = script ? redis_script(redis, script, args, reply, err)
                    : redis_call(redis, args, reply, err);
    if (ran_out(pool, status, begun_ns))
        note_hang(pool);
    pool_give(pool, redis);
    return status;
}

enum status pool_script(struct redis_pool *pool, const struct script *script,
                        const struct redis_args *args, struct redisReply **reply,
                        struct error *err) {
    return pool_run(pool, script, args, reply, err);
}

static enum status pool_call(struct redis_pool *pool, const struct redis_args *args,
                             struct redisReply **reply, struct error *err) {
    return pool_run(pool, NULL, args, reply, err);
}

enum status pool_ping(struct redis_pool *pool, struct error *err) {
    struct redis_args ping = {0};
    struct redisReply *reply = NULL;
    redis_args_text(&ping, "PING");
    enum status status = pool_call(pool, &ping, &reply, err);
    redis_reply_free(reply);
    return status;
}

/* What each setting must be, and what it means when it is not. */
static const struct {
    const char *name, *wanted, *otherwise;
} SETTINGS[] = {
    {"appendonly", "yes", "a restart of Redis loses jobs"},
    {"appendfsync", "always", "a power failure loses the last second of jobs"},
    {"maxmemory-policy", "noeviction", "a full Redis throws jobs away"},
};

static enum status check_setting(struct redis_pool *pool, size_t row, struct str *warning,
                                 struct error *err) {
    struct redis_args get = {0};
    struct redisReply *reply = NULL;
    redis_args_text(&get, "CONFIG");
    redis_args_text(&get, "GET");
    redis_args_text(&get, SETTINGS[row].name);
    enum status status = pool_call(pool, &get, &reply, err);
    if (status)
        return status;
    const char *value = "unknown";
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
        value = reply->element[1]->str;
    if (!str_equal(value, SETTINGS[row].wanted))
        str_addf(warning, "%s%s is %s, not %s: %s", warning->len ? "; " : "", SETTINGS[row].name,
                 value, SETTINGS[row].wanted, SETTINGS[row].otherwise);
    redis_reply_free(reply);
    return STATUS_OK;
}

enum status pool_check_settings(struct redis_pool *pool, struct str *warning, struct error *err) {
    struct error trouble = {0};
    for (size_t row = 0; row < sizeof SETTINGS / sizeof *SETTINGS; row++) {
        enum status status = check_setting(pool, row, warning, &trouble);
        if (status == STATUS_INTERNAL) { /* hosted services forbid CONFIG */
            str_addf(warning, "the settings of this Redis cannot be read (%s)", trouble.message);
            return STATUS_OK;
        }
        if (status) {
            if (err)
                *err = trouble;
            return status;
        }
    }
    return STATUS_OK;
}
