#include "engine/base/mem.h"
#include "service/store/jobs.h"
#include "service/store/keys.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>
#include <string.h>

enum { ENTRY_ID_BYTES = 48 };

struct feed {
    struct redis *redis;
    char last[ENTRY_ID_BYTES]; /* the last entry seen; "" when some may have been missed */
};

struct feed *feed_create(const struct redis_address *address) {
    struct feed *feed = xcalloc(1, sizeof *feed);
    feed->redis = redis_create(address);
    return feed;
}

void feed_free(struct feed *feed) {
    if (feed)
        redis_free(feed->redis);
    free(feed);
}

/* Remembers where the stream ends now. Whoever waits looks afresh after this. */
static enum status find_end(struct feed *feed, struct error *err) {
    struct redis_args args = {0};
    struct redisReply *reply = NULL;
    const char *const words[] = {"XREVRANGE", KEY_CHANGES, "+", "-", "COUNT", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        redis_args_text(&args, words[i]);
    enum status status = redis_call(feed->redis, &args, &reply, err);
    if (status)
        return status;
    bool any = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0;
    str_copy(feed->last, sizeof feed->last, any ? reply->element[0]->element[0]->str : "0-0");
    redis_reply_free(reply);
    return STATUS_OK;
}

static enum status read_stream(struct feed *feed, int timeout_ms, struct redisReply **reply,
                               struct error *err) {
    struct redis_args args = {0};
    redis_args_text(&args, "XREAD");
    redis_args_text(&args, "BLOCK");
    redis_args_int(&args, timeout_ms > 0 ? timeout_ms : 1); /* 0 would mean for ever */
    redis_args_text(&args, "STREAMS");
    redis_args_text(&args, KEY_CHANGES);
    redis_args_text(&args, feed->last);
    return redis_call_blocking(feed->redis, &args, timeout_ms, reply, err);
}

/* The reply is [[stream, [[id, [field, value]], ...]]]. */
static void tell(struct feed *feed, const struct redisReply *reply, feed_fn *changed, void *ctx) {
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
        return; /* the time ran out */
    const struct redisReply *entries = reply->element[0]->element[1];
    for (size_t i = 0; i < entries->elements; i++) {
        const struct redisReply *entry = entries->element[i];
        str_copy(feed->last, sizeof feed->last, entry->element[0]->str);
        if (entry->element[1]->elements == 2)
            changed(ctx, entry->element[1]->element[1]->str);
    }
}

enum status feed_wait(struct feed *feed, int timeout_ms, feed_fn *changed, void *ctx,
                      struct error *err) {
    enum status status;
    if (!feed->last[0]) {
        if ((status = find_end(feed, err)))
            return status;
        changed(ctx, NULL);
        return STATUS_OK;
    }
    struct redisReply *reply = NULL;
    status = read_stream(feed, timeout_ms, &reply, err);
    if (status)
        feed->last[0] = '\0';
    else
        tell(feed, reply, changed, ctx);
    redis_reply_free(reply);
    return status;
}
