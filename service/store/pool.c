#include "service/store/redis.h"

#include "engine/base/mem.h"
#include "engine/base/str.h"

#include <hiredis/hiredis.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct redis_pool {
    pthread_mutex_t lock;
    pthread_cond_t returned;
    int timeout_ms;
    int size, free_count;
    struct redis **connection;      /* [size], all of them */
    struct redis **free_connection; /* [free_count], used as a stack: the warmest first */
};

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
    return pool;
}

void pool_free(struct redis_pool *pool) {
    if (!pool)
        return;
    CHECK(pool->free_count == pool->size);
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
    while (pool->free_count == 0 && !timed_out)
        timed_out = pthread_cond_timedwait(&pool->returned, &pool->lock, &deadline);
    if (pool->free_count > 0)
        *redis = pool->free_connection[--pool->free_count];
    pthread_mutex_unlock(&pool->lock);
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

enum status pool_script(struct redis_pool *pool, const struct script *script,
                        const struct redis_args *args, struct redisReply **reply,
                        struct error *err) {
    struct redis *redis;
    enum status status = pool_take(pool, &redis, err);
    if (status)
        return status;
    status = redis_script(redis, script, args, reply, err);
    pool_give(pool, redis);
    return status;
}

static enum status pool_call(struct redis_pool *pool, const struct redis_args *args,
                             struct redisReply **reply, struct error *err) {
    struct redis *redis;
    enum status status = pool_take(pool, &redis, err);
    if (status)
        return status;
    status = redis_call(redis, args, reply, err);
    pool_give(pool, redis);
    return status;
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
