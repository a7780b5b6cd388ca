#include "service/store/webhooks.h"

#include "api/limits.h"
#include "engine/base/mem.h"
#include "service/store/job_reply.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>
#include <string.h>

static enum status run(struct redis_pool *pool, const struct script *script,
                       const struct redis_args *args, struct redisReply **reply,
                       struct error *err) {
    enum status status = pool_script(pool, script, args, reply, err);
    if (status)
        return status;
    if (reply_is(*reply, "not_found"))
        status = error_set(err, STATUS_NOT_FOUND, "there is no webhook %s", args->item[0]);
    else if (reply_is(*reply, "full"))
        status = error_set(err, STATUS_CONFLICT, "there are %d webhooks already", LIMIT_WEBHOOKS);
    else if (reply_is(*reply, "disabled"))
        status = error_set(err, STATUS_CONFLICT,
                           "webhook %s is disabled: its receiver has answered 410", args->item[0]);
    if (status) {
        redis_reply_free(*reply);
        *reply = NULL;
    }
    return status;
}

static void run_args(struct redis_args *args, const char *id) {
    redis_args_text(args, id);
    redis_args_text(args, "");
}

/* ---- webhooks ---- */

/* Words with spaces around them. */
static void split_words(struct text_list *list, const char *text) {
    for (text += strspn(text, " "); *text && list->count < FIELD_LIST_MAX;
         text += strspn(text, " ")) {
        size_t word = strcspn(text, " ");
        if (word < FIELD_TEXT_BYTES)
            memcpy(list->item[list->count++], text, word);
        text += word;
    }
}

static void card_from_reply(struct webhook_card *card, const struct redisReply *fields,
                            const char *waiting) {
    const struct {
        const char *name;
        int64_t *value;
    } numbers[] = {
        {"delivered", &card->delivered},
        {"given_up", &card->given_up},
        {"failures", &card->failures},
        {"last_status", &card->last_status},
    };
    *card = (struct webhook_card){.disabled = reply_field_int(fields, "disabled", 0) != 0};
    str_copy(card->id, sizeof card->id, reply_field_text(fields, "id"));
    str_copy(card->url, sizeof card->url, reply_field_text(fields, "url"));
    str_copy(card->tag, sizeof card->tag, reply_field_text(fields, "tag"));
    str_copy(card->last_error, sizeof card->last_error, reply_field_text(fields, "last_error"));
    split_words(&card->events, reply_field_text(fields, "kinds"));
    clock_format(reply_field_int(fields, "created", 0), card->created);
    int64_t last_ms = reply_field_int(fields, "last_ms", 0);
    if (last_ms)
        clock_format(last_ms, card->last_time);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i].value = reply_field_int(fields, numbers[i].name, 0);
    card->waiting = strtoll(waiting, NULL, 10);
}

enum status webhooks_create(struct redis_pool *pool, const char *id, const char *secret,
                            const struct webhook_request *request, struct webhook_card *card,
                            struct error *err) {
    struct redis_args args = {0};
    struct redisReply *reply = NULL;
    struct str events = STR_INIT;
    for (int i = 0; i < request->events.count; i++)
        str_addf(&events, "%s%s", i ? " " : "", request->events.item[i]);
    run_args(&args, id);
    redis_args_int(&args, LIMIT_WEBHOOKS);
    redis_args_text(&args, request->url);
    redis_args_text(&args, str_text(&events));
    redis_args_text(&args, request->tag);
    redis_args_text(&args, secret);
    enum status status = run(pool, &script_hook_create, &args, &reply, err);
    str_release(&events);
    if (status)
        return status;
    card_from_reply(card, reply->element[1], "0");
    str_copy(card->secret, sizeof card->secret, secret);
    redis_reply_free(reply);
    return STATUS_OK;
}

static enum status find(struct redis_pool *pool, const char *id, const char *after, int limit,
                        struct redisReply **reply, struct error *err) {
    struct redis_args args = {0};
    run_args(&args, id);
    redis_args_text(&args, after);
    redis_args_int(&args, limit);
    return run(pool, &script_hook_list, &args, reply, err);
}

enum status webhooks_list(struct redis_pool *pool, const char *after, int limit,
                          struct webhook_list *list, struct error *err) {
    struct redisReply *reply = NULL;
    *list = (struct webhook_list){0};
    enum status status = find(pool, "", after, limit + 1, &reply, err);
    if (status)
        return status;
    const struct redisReply *found = reply->element[1];
    list->item = xcalloc(found->elements + 1, sizeof *list->item);
    for (; list->count < (int)found->elements && list->count < limit; list->count++) {
        const struct redisReply *one = found->element[list->count];
        card_from_reply(&list->item[list->count], one->element[0], one->element[1]->str);
    }
    if ((int)found->elements > limit)
        str_copy(list->next, sizeof list->next, list->item[limit - 1].id);
    redis_reply_free(reply);
    return STATUS_OK;
}

void webhook_list_release(struct webhook_list *list) {
    free(list->item);
    *list = (struct webhook_list){0};
}

enum status webhooks_get(struct redis_pool *pool, const char *id, struct webhook_card *card,
                         struct error *err) {
    struct redisReply *reply = NULL;
    enum status status = find(pool, id, "", 1, &reply, err);
    if (status)
        return status;
    const struct redisReply *found = reply->element[1];
    if (found->elements == 1)
        card_from_reply(card, found->element[0]->element[0], found->element[0]->element[1]->str);
    else
        status = error_set(err, STATUS_NOT_FOUND, "there is no webhook %s", id);
    redis_reply_free(reply);
    return status;
}

enum status webhooks_remove(struct redis_pool *pool, const char *id, struct error *err) {
    struct redis_args args = {0};
    struct redisReply *reply = NULL;
    run_args(&args, id);
    enum status status = run(pool, &script_hook_remove, &args, &reply, err);
    redis_reply_free(reply);
    return status;
}

enum status webhooks_test(struct redis_pool *pool, const char *id, const char *message,
                          struct error *err) {
    struct redis_args args = {0};
    struct redisReply *reply = NULL;
    run_args(&args, id);
    redis_args_text(&args, message);
    enum status status = run(pool, &script_hook_test, &args, &reply, err);
    redis_reply_free(reply);
    return status;
}

/* ---- messages ---- */

void delivery_list_release(struct delivery_list *list) {
    for (int i = 0; i < list->count; i++)
        free(list->item[i].job);
    free(list->item);
    *list = (struct delivery_list){0};
}

/* One of the answer: the hook's hash, the message's id, its kind, time and tries, the job's hash.
 */
static void delivery_from_reply(struct delivery *delivery, const struct redisReply *reply) {
    const struct redisReply *hook = reply->element[0], *job = reply->element[5];
    str_copy(delivery->hook, sizeof delivery->hook, reply_field_text(hook, "id"));
    str_copy(delivery->url, sizeof delivery->url, reply_field_text(hook, "url"));
    str_copy(delivery->secret, sizeof delivery->secret, reply_field_text(hook, "secret"));
    str_copy(delivery->message, sizeof delivery->message, reply->element[1]->str);
    str_copy(delivery->kind, sizeof delivery->kind, reply->element[2]->str);
    delivery->at_ms = strtoll(reply->element[3]->str, NULL, 10);
    delivery->tries = strtoll(reply->element[4]->str, NULL, 10);
    if (job->elements == 0)
        return;
    delivery->job = xcalloc(1, sizeof *delivery->job);
    if (job_from_reply(delivery->job, job, NULL) != STATUS_OK) {
        free(delivery->job); /* told without what cannot be read */
        delivery->job = NULL;
    }
}

enum status webhooks_take(struct redis_pool *pool, const struct take *take,
                          struct delivery_list *list, struct error *err) {
    struct redis_args args = {0};
    struct redisReply *reply = NULL;
    *list = (struct delivery_list){0};
    run_args(&args, "");
    redis_args_int(&args, take->lease_ms);
    redis_args_int(&args, take->most);
    redis_args_int(&args, take->most_of_a_hook);
    for (int i = 0; i < take->busy_count; i++)
        redis_args_text(&args, take->busy[i]);
    enum status status = run(pool, &script_hook_take, &args, &reply, err);
    if (status)
        return status;
    const struct redisReply *taken = reply->element[1];
    list->item = xcalloc(taken->elements + 1, sizeof *list->item);
    for (; list->count < (int)taken->elements; list->count++)
        delivery_from_reply(&list->item[list->count], taken->element[list->count]);
    redis_reply_free(reply);
    return STATUS_OK;
}

enum status webhooks_settle(struct redis_pool *pool, const struct settlement *settlement,
                            struct error *err) {
    static const char *const words[OUTCOME_COUNT] = {"delivered", "again", "given_up", "gone",
                                                     "returned"};
    struct redis_args args = {0};
    struct redisReply *reply = NULL;
    run_args(&args, settlement->hook);
    redis_args_text(&args, settlement->message);
    redis_args_text(&args, words[settlement->outcome]);
    redis_args_int(&args, settlement->delay_ms);
    redis_args_int(&args, settlement->http_status);
    redis_args_text(&args, settlement->error);
    enum status status = run(pool, &script_hook_settle, &args, &reply, err);
    redis_reply_free(reply);
    return status;
}
