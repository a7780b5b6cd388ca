#include "service/store/redis.h"

#include "engine/base/mem.h"
#include "engine/base/str.h"
#include "service/store/keys.h"

#include <hiredis/hiredis.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct redis {
    struct redis_address address;
    redisContext *context; /* NULL: not connected */
};

/* ---- arguments ---- */

static void add_arg(struct redis_args *args, const char *text, size_t len) {
    CHECK(args->count < REDIS_MAX_ARGS);
    args->item[args->count] = text;
    args->len[args->count++] = len;
}

void redis_args_text(struct redis_args *args, const char *text) {
    add_arg(args, text ? text : "", text ? strlen(text) : 0);
}

void redis_args_int(struct redis_args *args, int64_t value) {
    CHECK(args->count < REDIS_MAX_ARGS);
    char *number = args->number[args->count];
    add_arg(args, number, (size_t)snprintf(number, sizeof *args->number, "%lld", (long long)value));
}

void redis_args_double(struct redis_args *args, double value) {
    CHECK(args->count < REDIS_MAX_ARGS);
    char *number = args->number[args->count];
    add_arg(args, number, (size_t)snprintf(number, sizeof *args->number, "%.17g", value));
}

/* ---- connection ---- */

struct redis *redis_create(const struct redis_address *address) {
    struct redis *redis = xcalloc(1, sizeof *redis);
    redis->address = *address;
    return redis;
}

static void disconnect(struct redis *redis) {
    if (redis->context)
        redisFree(redis->context);
    redis->context = NULL;
}

void redis_free(struct redis *redis) {
    if (redis)
        disconnect(redis);
    free(redis);
}

void redis_reply_free(struct redisReply *reply) {
    if (reply)
        freeReplyObject(reply);
}

static struct timeval milliseconds(int ms) {
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000L};
}

/* Words that begin an error for which the server, not the call, is to blame. */
static const char *const SERVER_TROUBLE[] = {
    "LOADING ",
    "BUSY ",
    "READONLY ",
    "MISCONF ",
    "OOM ",
    "MASTERDOWN ",
    "NOAUTH ",
    "WRONGPASS ",
    "NOREPLICAS ",
    "CLUSTERDOWN ",
    "TRYAGAIN ",
    "MOVED ",
    "ASK ",
    "UNKILLABLE ",
    "ERR max number of clients",
    "ERR AUTH ",
    "ERR invalid password",
};

/* After such an answer the next call connects afresh: another server may stand there by then. */
static enum status reply_error(struct redis *redis, const char *text, struct error *err) {
    for (size_t i = 0; i < sizeof SERVER_TROUBLE / sizeof *SERVER_TROUBLE; i++)
        if (str_has_prefix(text, SERVER_TROUBLE[i])) {
            disconnect(redis);
            return error_set(err, STATUS_UNAVAILABLE, "redis: %s", text);
        }
    return error_set(err, STATUS_INTERNAL, "redis: %s", text);
}

static enum status lost(struct redis *redis, struct error *err) {
    char text[128] = "out of memory";
    if (redis->context)
        str_copy(text, sizeof text, redis->context->errstr);
    if (redis->context && redis->context->err == REDIS_ERR_IO && errno == EAGAIN)
        snprintf(text, sizeof text, "no answer within %d ms", redis->address.timeout_ms);
    disconnect(redis);
    return error_set(err, STATUS_UNAVAILABLE, "redis does not answer: %s", text);
}

/* One command on a connection that is open. */
static enum status exchange(struct redis *redis, const struct redis_args *args,
                            struct redisReply **reply, struct error *err) {
    /* hiredis does not write through its argv, but its type lacks the const. */
    const char **argv = (const char **)(uintptr_t)args->item;
    struct redisReply *answer = redisCommandArgv(redis->context, args->count, argv, args->len);
    if (!answer)
        return lost(redis, err);
    if (answer->type != REDIS_REPLY_ERROR) {
        *reply = answer;
        return STATUS_OK;
    }
    enum status status = reply_error(redis, answer->str, err);
    freeReplyObject(answer);
    return status;
}

static enum status exchange_ok(struct redis *redis, const struct redis_args *args,
                               struct error *err) {
    struct redisReply *reply = NULL;
    enum status status = exchange(redis, args, &reply, err);
    redis_reply_free(reply);
    if (status)
        disconnect(redis);
    if (status)
        error_wrap(err, status, "logging in");
    return status;
}

static enum status log_in(struct redis *redis, struct error *err) {
    const struct redis_address *address = &redis->address;
    struct redis_args auth = {0}, select = {0};
    redis_args_text(&auth, "AUTH");
    if (address->user[0])
        redis_args_text(&auth, address->user);
    redis_args_text(&auth, address->password);
    redis_args_text(&select, "SELECT");
    redis_args_int(&select, address->database);
    enum status status = STATUS_OK;
    if (address->password[0])
        status = exchange_ok(redis, &auth, err);
    if (!status && address->database)
        status = exchange_ok(redis, &select, err);
    return status;
}

static enum status connect_now(struct redis *redis, struct error *err) {
    const struct redis_address *address = &redis->address;
    struct timeval timeout = milliseconds(address->timeout_ms);
    redis->context = address->unix_path[0]
                         ? redisConnectUnixWithTimeout(address->unix_path, timeout)
                         : redisConnectWithTimeout(address->host, address->port, timeout);
    if (!redis->context || redis->context->err)
        return lost(redis, err);
    /* hiredis sets neither; without the first, children would keep the connection open. */
    if (fcntl(redis->context->fd, F_SETFD, FD_CLOEXEC) < 0 ||
        redisSetTimeout(redis->context, timeout) != REDIS_OK ||
        (!address->unix_path[0] && redisEnableKeepAlive(redis->context) != REDIS_OK))
        return lost(redis, err);
    return log_in(redis, err);
}

/* A connection at rest has nothing to read: if it does, it was closed or is out of step. */
static bool is_stale(const struct redis *redis) {
    struct pollfd resting = {.fd = redis->context->fd, .events = POLLIN | POLLRDHUP};
    return poll(&resting, 1, 0) != 0;
}

static enum status ready(struct redis *redis, struct error *err) {
    if (redis->context && is_stale(redis))
        disconnect(redis);
    return redis->context ? STATUS_OK : connect_now(redis, err);
}

enum status redis_call(struct redis *redis, const struct redis_args *args,
                       struct redisReply **reply, struct error *err) {
    enum status status = ready(redis, err);
    return status ? status : exchange(redis, args, reply, err);
}

enum status redis_call_blocking(struct redis *redis, const struct redis_args *args, int block_ms,
                                struct redisReply **reply, struct error *err) {
    enum status status = ready(redis, err);
    if (status)
        return status;
    if (redisSetTimeout(redis->context, milliseconds(redis->address.timeout_ms + block_ms)))
        return lost(redis, err);
    status = exchange(redis, args, reply, err);
    if (redis->context)
        redisSetTimeout(redis->context, milliseconds(redis->address.timeout_ms));
    return status;
}

/* ---- scripts ---- */

static void script_call(struct redis_args *call, const char *command, const char *script,
                        const struct redis_args *args) {
    call->count = 0;
    redis_args_text(call, command);
    redis_args_text(call, script);
    redis_args_text(call, "1");
    redis_args_text(call, KEY_PREFIX);
    for (int i = 0; i < args->count; i++)
        add_arg(call, args->item[i], args->len[i]);
}

enum status redis_script(struct redis *redis, const struct script *script,
                         const struct redis_args *args, struct redisReply **reply,
                         struct error *err) {
    struct redis_args call;
    struct error first = {0};
    script_call(&call, "EVALSHA", script->sha1, args);
    enum status status = redis_call(redis, &call, reply, &first);
    if (status == STATUS_INTERNAL && strstr(first.message, "NOSCRIPT")) {
        script_call(&call, "EVAL", script->source, args);
        status = redis_call(redis, &call, reply, &first);
    }
    if (status && err)
        *err = first;
    if (status == STATUS_INTERNAL)
        error_wrap(err, status, "script %s", script->name);
    return status;
}
