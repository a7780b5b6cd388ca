/* What a job's streams hold, by number: points of its learning curve, and events. */
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "service/store/job_reply.h"
#include "service/store/jobs.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>
#include <string.h>

struct range {
    const char *id;
    int64_t since;
    int limit;
};

/* Asks for one entry more, which tells whether others follow. */
static enum status read_range(struct redis_pool *pool, const struct script *script,
                              const struct range *range, struct redisReply **reply,
                              struct error *err) {
    struct job_call call;
    job_call_begin(&call, range->id, 0);
    redis_args_int(&call.args, range->since);
    redis_args_int(&call.args, range->limit + 1);
    return job_call_run(&call, pool, script, reply, err);
}

/* ---- points ---- */

/* One entry of the stream: its id is <seq>-0, its fields are at and point. */
static enum status point_from_entry(struct point *point, const struct redisReply *entry,
                                    struct error *err) {
    if (entry->elements != 2 || entry->element[1]->elements != 4)
        return error_set(err, STATUS_CORRUPT, "a point in the store is malformed");
    int64_t seq = strtoll(entry->element[0]->str, NULL, 10);
    const struct redisReply *fields = entry->element[1], *text = fields->element[3];
    return point_from_text(point, seq, reply_field_int(fields, "at", 0), text->str, text->len, err);
}

static enum status fill_points(struct point_page *page, const struct redisReply *entries, int limit,
                               struct error *err) {
    int count = (int)entries->elements < limit ? (int)entries->elements : limit;
    page->item = xcalloc((size_t)count + 1, sizeof *page->item);
    page->more = (int)entries->elements > limit;
    for (int i = 0; i < count; i++) {
        enum status status = point_from_entry(&page->item[i], entries->element[i], err);
        if (status)
            return status;
        page->next = page->item[page->count++].seq;
    }
    return STATUS_OK;
}

enum status jobs_points(struct redis_pool *pool, const char *id, int64_t since, int limit,
                        struct point_page *page, struct error *err) {
    *page = (struct point_page){.next = since};
    struct redisReply *reply;
    const struct range range = {id, since, limit};
    enum status status = read_range(pool, &script_points, &range, &reply, err);
    if (status)
        return status;
    status = fill_points(page, reply->element[1], limit, err);
    if (status)
        point_page_release(page);
    redis_reply_free(reply);
    return status;
}

void point_page_release(struct point_page *page) {
    free(page->item);
    memset(page, 0, sizeof *page);
}

/* ---- events ---- */

static void copy_field(const struct redisReply *fields, const char *name, char *out, size_t bytes) {
    str_copy(out, bytes, reply_field_text(fields, name));
}

static enum status event_from_entry(struct event *event, const struct redisReply *entry,
                                    struct error *err) {
    if (entry->elements != 2)
        return error_set(err, STATUS_CORRUPT, "an event in the store is malformed");
    const struct redisReply *fields = entry->element[1];
    *event = (struct event){.seq = strtoll(entry->element[0]->str, NULL, 10)};
    event->attempt = reply_field_int(fields, "attempt", 0);
    event->epoch = reply_field_int(fields, "epoch", -1);
    event->step = reply_field_int(fields, "step", -1);
    clock_format(reply_field_int(fields, "at", 0), event->time);
    copy_field(fields, "event", event->event, sizeof event->event);
    copy_field(fields, "state", event->state, sizeof event->state);
    copy_field(fields, "requested", event->requested, sizeof event->requested);
    copy_field(fields, "worker", event->worker, sizeof event->worker);
    copy_field(fields, "message", event->message, sizeof event->message);
    if (str_equal(event->requested, job_request_slug(JOB_REQUEST_NONE)))
        event->requested[0] = '\0';
    return STATUS_OK;
}

static enum status fill_events(struct event_page *page, const struct redisReply *entries, int limit,
                               struct error *err) {
    int count = (int)entries->elements < limit ? (int)entries->elements : limit;
    page->item = xcalloc((size_t)count + 1, sizeof *page->item);
    page->more = (int)entries->elements > limit;
    for (int i = 0; i < count; i++) {
        enum status status = event_from_entry(&page->item[i], entries->element[i], err);
        if (status)
            return status;
        page->next = page->item[page->count++].seq;
    }
    return STATUS_OK;
}

enum status jobs_events(struct redis_pool *pool, const char *id, int64_t since, int limit,
                        struct event_page *page, struct error *err) {
    *page = (struct event_page){.next = since};
    struct redisReply *reply;
    const struct range range = {id, since, limit};
    enum status status = read_range(pool, &script_events, &range, &reply, err);
    if (status)
        return status;
    status = fill_events(page, reply->element[1], limit, err);
    if (status)
        event_page_release(page);
    redis_reply_free(reply);
    return status;
}

void event_page_release(struct event_page *page) {
    free(page->item);
    memset(page, 0, sizeof *page);
}
