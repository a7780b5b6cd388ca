#include "service/store/job_reply.h"

#include "api/codec.h"
#include "api/job_edit.h"
#include "service/common/fault.h"

#include <hiredis/hiredis.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- calls ---- */

static void add_rule(struct str *rules, const struct job_transition *row) {
    str_addf(rules, "%s=%s:%s>%s:%s ", job_event_slug(row->event), job_state_slug(row->from),
             job_request_slug(row->requested), job_state_slug(row->to),
             job_request_slug(row->requested_then));
}

void job_call_begin(struct job_call *call, const char *id, unsigned events) {
    *call = (struct job_call){.id = id};
    if (events) /* whatever ends a job may end others, and so may the time */
        events |= EVENT_BIT(JOB_EVENT_FORSAKE) | EVENT_BIT(JOB_EVENT_EXPIRE);
    for (int i = 0; i < job_transition_count; i++)
        if (events & EVENT_BIT(job_transitions[i].event))
            add_rule(&call->rules, &job_transitions[i]);
    redis_args_text(&call->args, id);
    redis_args_text(&call->args, str_text(&call->rules));
}

static const char *reply_text(const struct redisReply *reply, size_t index) {
    if (reply->type != REDIS_REPLY_ARRAY || index >= reply->elements)
        return "";
    const struct redisReply *element = reply->element[index];
    bool has_text = element->type == REDIS_REPLY_STRING || element->type == REDIS_REPLY_STATUS;
    return has_text ? element->str : "";
}

bool reply_is(const struct redisReply *reply, const char *word) {
    return str_equal(reply_text(reply, 0), word);
}

static enum status refusal(const struct redisReply *reply, const char *id, struct error *err) {
    if (reply_is(reply, "not_found"))
        return error_set(err, STATUS_NOT_FOUND, "there is no job %s", id);
    if (reply_is(reply, "stale"))
        return error_set(err, STATUS_CONFLICT, "attempt %s of job %s has taken over",
                         reply_text(reply, 1), id);
    if (reply_is(reply, "dependency"))
        return error_set_field(err, STATUS_CONFLICT, "depends_on",
                               "job %s, on which it depends, is %s", reply_text(reply, 1),
                               reply_text(reply, 2));
    if (reply_is(reply, "late"))
        return error_set(err, STATUS_CONFLICT,
                         "its deadline has passed; a rerun launches it without");
    if (reply_is(reply, "quota"))
        return error_set(err, STATUS_QUOTA,
                         "key %s has %s jobs that have not ended, and may have "
                         "no more",
                         reply_text(reply, 1), reply_text(reply, 2));
    if (reply_is(reply, "full"))
        return error_set(err, STATUS_NO_SPACE,
                         "there are %s jobs already: remove some, or set keep_jobs_days",
                         reply_text(reply, 1));
    if (!reply_is(reply, "conflict"))
        return STATUS_OK;
    const char *wish = reply_text(reply, 2);
    if (str_equal(wish, job_request_slug(JOB_REQUEST_NONE)))
        return error_set(err, STATUS_CONFLICT, "job %s is %s", id, reply_text(reply, 1));
    return error_set(err, STATUS_CONFLICT, "job %s is %s, with a wish to %s", id,
                     reply_text(reply, 1), wish);
}

enum status job_call_run(struct job_call *call, struct redis_pool *pool,
                         const struct script *script, struct redisReply **reply,
                         struct error *err) {
    *reply = NULL;
    FAULT_POINT(script->name, "before");
    enum status status = pool_script(pool, script, &call->args, reply, err);
    FAULT_POINT(script->name, "after");
    if (!status)
        status = refusal(*reply, call->id, err);
    if (status) {
        redis_reply_free(*reply);
        *reply = NULL;
    }
    str_release(&call->rules);
    return status;
}

/* ---- points ---- */

enum status point_from_text(struct point *point, int64_t seq, int64_t at_ms, const char *text,
                            size_t len, struct error *err) {
    enum status status = point_decode(point, text, len, err);
    if (status) {
        error_wrap(err, status, "point %lld", (long long)seq);
        return status;
    }
    point->seq = seq;
    clock_format(at_ms, point->time);
    return STATUS_OK;
}

/* "<seq> <ms> <json>", as progress.lua keeps the latest ones in the hash. */
static enum status decode_point(struct point *point, const char *text, size_t len,
                                struct error *err) {
    char *rest;
    long long seq = strtoll(text, &rest, 10);
    long long at_ms = strtoll(rest, &rest, 10);
    size_t prefix = (size_t)(rest - text);
    return point_from_text(point, seq, at_ms, rest, len - prefix, err);
}

/* ---- the hash ---- */

typedef enum status decode_fn(struct job *job, const char *text, size_t len, struct error *err);

static enum status decode_state(struct job *job, const char *text, size_t len, struct error *err) {
    (void)len;
    if (!job_state_parse(text, &job->state))
        return error_set(err, STATUS_CORRUPT, "unknown state %s", text);
    return STATUS_OK;
}

static enum status decode_requested(struct job *job, const char *text, size_t len,
                                    struct error *err) {
    (void)len;
    if (!job_request_parse(text, &job->requested))
        return error_set(err, STATUS_CORRUPT, "unknown wish %s", text);
    return STATUS_OK;
}

static enum status decode_spec(struct job *job, const char *text, size_t len, struct error *err) {
    return job_spec_decode_stored(&job->spec, text, len, err);
}

/* What a user has changed since stands beside the spec, as does the name. */
static enum status decode_tags(struct job *job, const char *text, size_t len, struct error *err) {
    return job_tags_decode(&job->spec.tags, text, len, err);
}

static enum status decode_priority(struct job *job, const char *text, size_t len,
                                   struct error *err) {
    (void)len;
    if (!str_parse_i64(text, &job->spec.priority))
        return error_set(err, STATUS_CORRUPT, "priority %s is no number", text);
    return STATUS_OK;
}

static enum status decode_progress(struct job *job, const char *text, size_t len,
                                   struct error *err) {
    return fields_decode_stored(&job_progress_table, &job->progress, text, len, err);
}

static enum status decode_train(struct job *job, const char *text, size_t len, struct error *err) {
    return decode_point(&job->train, text, len, err);
}

static enum status decode_eval(struct job *job, const char *text, size_t len, struct error *err) {
    return decode_point(&job->eval, text, len, err);
}

static enum status decode_best(struct job *job, const char *text, size_t len, struct error *err) {
    return decode_point(&job->best, text, len, err);
}

static enum status decode_reproducible(struct job *job, const char *text, size_t len,
                                       struct error *err) {
    (void)len;
    (void)err;
    job->reproducible = str_equal(text, "1");
    return STATUS_OK;
}

static enum status decode_error(struct job *job, const char *text, size_t len, struct error *err) {
    return job_error_decode(&job->error, text, len, err);
}

/* Ids with spaces between them. */
static enum status decode_waits_for(struct job *job, const char *text, size_t len,
                                    struct error *err) {
    (void)len;
    for (size_t word; *text; text += word + (text[word] == ' ')) {
        word = strcspn(text, " ");
        if (job->waits_for.count == FIELD_LIST_MAX || word >= FIELD_TEXT_BYTES)
            return error_set(err, STATUS_CORRUPT, "the list of jobs it waits for is damaged");
        memcpy(job->waits_for.item[job->waits_for.count++], text, word);
    }
    return STATUS_OK;
}

#define COPIED(member)                                                                             \
    .offset = offsetof(struct job, member), .size = sizeof(((struct job *)NULL)->member)
static const struct text_field {
    const char *name;
    decode_fn *decode; /* NULL: the text is copied */
    size_t offset, size;
    const char *what; /* the text is, which must fit; NULL: it is cut */
} TEXTS[] = {
    {"id", COPIED(id), .what = "id"},          {"state", .decode = decode_state},
    {"requested", .decode = decode_requested}, {"spec", .decode = decode_spec},
    {"progress", .decode = decode_progress},   {"worker", COPIED(worker), .what = NULL},
    {"train", .decode = decode_train},         {"eval", .decode = decode_eval},
    {"best", .decode = decode_best},           {"name", COPIED(spec.name), .what = "name"},
    {"tags", .decode = decode_tags},           {"priority", .decode = decode_priority},
    {"model", COPIED(model), .what = "model"}, {"rerun_of", COPIED(rerun_of), .what = "id"},
    {"owner", COPIED(owner), .what = "owner"}, {"waits_for", .decode = decode_waits_for},
    {"error", .decode = decode_error},         {"reproducible", .decode = decode_reproducible},
};
#undef COPIED

static const struct {
    const char *name;
    size_t offset;
} NUMBERS[] = {
    {"attempt", offsetof(struct job, attempt)},
    {"lost", offsetof(struct job, lost)},
    {"created_ms", offsetof(struct job, created_ms)},
    {"started_ms", offsetof(struct job, started_ms)},
    {"finished_ms", offsetof(struct job, finished_ms)},
    {"updated_ms", offsetof(struct job, updated_ms)},
};

static const struct redisReply *find_field(const struct redisReply *fields, const char *name) {
    if (fields->type != REDIS_REPLY_ARRAY)
        return NULL;
    for (size_t i = 0; i + 1 < fields->elements; i += 2)
        if (str_equal(fields->element[i]->str, name))
            return fields->element[i + 1];
    return NULL;
}

int64_t reply_field_int(const struct redisReply *fields, const char *name, int64_t fallback) {
    const struct redisReply *value = find_field(fields, name);
    int64_t number;
    return value && str_parse_i64(value->str, &number) ? number : fallback;
}

const char *reply_field_text(const struct redisReply *fields, const char *name) {
    const struct redisReply *value = find_field(fields, name);
    return value ? value->str : "";
}

static enum status read_text(struct job *job, const struct text_field *field,
                             const struct redisReply *value, struct error *err) {
    if (field->decode)
        return field->decode(job, value->str, value->len, err);
    if (str_copy((char *)job + field->offset, field->size, value->str) || !field->what)
        return STATUS_OK;
    return error_set(err, STATUS_CORRUPT, "%s %s is too long", field->what, value->str);
}

enum status job_from_reply(struct job *job, const struct redisReply *fields, struct error *err) {
    memset(job, 0, sizeof *job);
    fields_default(&job_progress_table, &job->progress);
    job->reproducible = true;
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        int64_t *number = (int64_t *)(void *)((char *)job + NUMBERS[i].offset);
        *number = reply_field_int(fields, NUMBERS[i].name, 0);
    }
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        const struct redisReply *value = find_field(fields, TEXTS[i].name);
        enum status status = value ? read_text(job, &TEXTS[i], value, err) : STATUS_OK;
        if (status) {
            error_wrap(err, status, "job %s in the store: %s", job->id, TEXTS[i].name);
            return status;
        }
    }
    return STATUS_OK;
}
