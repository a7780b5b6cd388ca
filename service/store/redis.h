/*
 * redis.h - a connection to Redis that mends itself, and a pool of them.
 *
 * A struct redis connects when it is first needed. A failure sticks to the connection only until
 * the next call, which connects afresh: AUTH, SELECT and timeouts are then set again. A connection
 * that the server closed while it was idle is noticed before anything is sent. When the answer to
 * a sent command is lost, the call is UNAVAILABLE and may or may not have happened; all scripts
 * of this project may therefore be repeated.
 *
 * Ownership: redis_create ... redis_free, pool_create ... pool_free. A reply is freed by its
 *            receiver with redis_reply_free.
 * Errors:    UNAVAILABLE when Redis does not answer, is loading, refuses the password or cannot
 *            write; INTERNAL with Redis's text for an answer that is a fault of the program.
 * Threads:   a struct redis belongs to one thread at a time; a pool may be used by any.
 */
#ifndef SERVICE_STORE_REDIS_H
#define SERVICE_STORE_REDIS_H

#include "engine/base/str.h"
#include "service/common/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REDIS_PATH_BYTES = 108, REDIS_HOST_BYTES = 256, REDIS_MAX_ARGS = 48 };

/* Where Redis is and how to log in. */
struct redis_address {
    char unix_path[REDIS_PATH_BYTES]; /* "" for TCP */
    char host[REDIS_HOST_BYTES];
    int port, database;
    char user[REDIS_HOST_BYTES], password[REDIS_HOST_BYTES]; /* "" for none */
    int timeout_ms;                                          /* to connect, and for each answer */
};

/* Parses unix://[user@]/path or redis://[user@]host[:port][/database]; INVALID otherwise, also for
 * a password in it, as whoever runs ps would read it. */
MUST_CHECK enum status redis_address_parse(struct redis_address *address, const char *url,
                                           int timeout_ms, struct error *err);

/* The address that is configured, with the password out of its file. */
MUST_CHECK enum status redis_address_of(struct redis_address *address, const struct config *config,
                                        struct error *err);

/* The arguments of one call. Texts are borrowed until the call; numbers are kept inside. */
struct redis_args {
    int count;
    const char *item[REDIS_MAX_ARGS];
    size_t len[REDIS_MAX_ARGS];
    char number[REDIS_MAX_ARGS][32];
};
void redis_args_text(struct redis_args *args, const char *text); /* NULL becomes "". */
void redis_args_int(struct redis_args *args, int64_t value);     /* In decimal. */
void redis_args_double(struct redis_args *args, double value);   /* Reads back the same. */

/* A Lua script that was embedded when the program was built. */
struct script {
    const char *name;
    const char *source;
    const char *sha1; /* 40 hex digits */
};

struct redisReply; /* hiredis.h, which only files of this folder include */
struct redis;

struct redis *redis_create(const struct redis_address *address); /* Connects later. */
void redis_free(struct redis *redis);                            /* NULL is allowed. */

/* Sends one command and waits for its answer. */
MUST_CHECK enum status redis_call(struct redis *redis, const struct redis_args *args,
                                  struct redisReply **reply, struct error *err);

/* Runs a script by its digest, and by its text where the server does not know it. The arguments
 * are the script's ARGV; KEYS[1] is the project's key prefix. */
MUST_CHECK enum status redis_script(struct redis *redis, const struct script *script,
                                    const struct redis_args *args, struct redisReply **reply,
                                    struct error *err);

/* Like redis_call for a command that may block so much longer than the usual timeout. */
MUST_CHECK enum status redis_call_blocking(struct redis *redis, const struct redis_args *args,
                                           int block_ms, struct redisReply **reply,
                                           struct error *err);

void redis_reply_free(struct redisReply *reply); /* NULL is allowed. */

/* Connections that threads borrow; those that wait longer than the timeout get UNAVAILABLE. Once a
 * call has waited for its answer so long in vain, all others get it at once, until a thread of the
 * pool has found that Redis answers again. */
struct redis_pool;

/* Each connects with its first command. */
struct redis_pool *pool_create(const struct redis_address *address, int size);
void pool_free(struct redis_pool *pool); /* All connections must have been given back. */

/* Waits for a free connection; the caller gives it back, in whatever state it is. */
MUST_CHECK enum status pool_take(struct redis_pool *pool, struct redis **redis, struct error *err);
void pool_give(struct redis_pool *pool, struct redis *redis); /* What pool_take gave. */

/* Take, run one script, give back. */
MUST_CHECK enum status pool_script(struct redis_pool *pool, const struct script *script,
                                   const struct redis_args *args, struct redisReply **reply,
                                   struct error *err);

/* OK when Redis answers and is ready. */
MUST_CHECK enum status pool_ping(struct redis_pool *pool, struct error *err);

/* Appends in one sentence what the settings of this Redis cannot promise (appendonly,
 * appendfsync, maxmemory-policy); nothing when all is well. */
MUST_CHECK enum status pool_check_settings(struct redis_pool *pool, struct str *warning,
                                           struct error *err);

#endif
