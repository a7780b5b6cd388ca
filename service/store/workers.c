#include "service/store/workers.h"

#include "api/codec.h"
#include "api/limits.h"
#include "engine/base/mem.h"
#include "service/store/job_reply.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>
#include <string.h>

enum status workers_announce(struct redis_pool *pool, const struct announcement *said,
                             struct error *err) {
    struct redis_args args = {0};
    struct redisReply *reply = NULL;
    struct str card = STR_INIT;
    worker_card_add_json(said->card, &card);
    redis_args_text(&args, said->worker->name);
    redis_args_text(&args, "");
    redis_args_text(&args, said->worker->instance);
    redis_args_text(&args, str_text(&card));
    redis_args_int(&args, said->lost_after_ms);
    redis_args_int(&args, WORKER_KEEP_MS);
    redis_args_int(&args, said->ended);
    enum status status = pool_script(pool, &script_announce, &args, &reply, err);
    redis_reply_free(reply);
    str_release(&card);
    return status;
}

/* One worker of the answer: its hash, the job it has, the attempt. */
static enum status card_from_reply(struct worker_card *card, const struct redisReply *reply,
                                   int64_t now_ms, struct error *err) {
    const struct redisReply *fields = reply->element[0];
    const char *text = reply_field_text(fields, "card");
    enum status status = fields_decode_stored(&worker_card_table, card, text, strlen(text), err);
    if (status) {
        error_wrap(err, status, "a worker in the store");
        return status;
    }
    int64_t heard_ms = reply_field_int(fields, "heard_ms", 0);
    bool is_lost = now_ms - heard_ms > reply_field_int(fields, "lost_after_ms", 0);
    clock_format(heard_ms, card->heard);
    clock_format(reply_field_int(fields, "since_ms", 0), card->since);
    str_copy(card->job, sizeof card->job, reply->element[1]->str);
    card->attempt = strtoll(reply->element[2]->str, NULL, 10);
    card->state = reply_field_int(fields, "ended", 0) ? WORKER_ENDED
                  : is_lost                           ? WORKER_LOST
                  : card->job[0]                      ? WORKER_RUNNING
                                                      : WORKER_IDLE;
    return STATUS_OK;
}

static int by_name(const void *a, const void *b) {
    const struct worker_card *left = a, *right = b;
    return strcmp(left->name, right->name);
}

enum status workers_list(struct redis_pool *pool, struct worker_list *list, struct error *err) {
    struct redis_args args = {0};
    struct redisReply *reply = NULL;
    *list = (struct worker_list){0};
    redis_args_text(&args, "");
    redis_args_text(&args, "");
    redis_args_int(&args, LIMIT_WORKERS);
    enum status status = pool_script(pool, &script_workers, &args, &reply, err);
    if (status)
        return status;
    int64_t now_ms = strtoll(reply->element[1]->str, NULL, 10);
    const struct redisReply *found = reply->element[2];
    list->item = xcalloc(found->elements + 1, sizeof *list->item);
    for (size_t i = 0; i < found->elements && !status; i++)
        status = card_from_reply(&list->item[list->count++], found->element[i], now_ms, err);
    redis_reply_free(reply);
    if (status)
        worker_list_release(list);
    else
        qsort(list->item, (size_t)list->count, sizeof *list->item, by_name);
    return status;
}

void worker_list_release(struct worker_list *list) {
    free(list->item);
    *list = (struct worker_list){0};
}
