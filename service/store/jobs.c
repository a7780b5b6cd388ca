#include "service/store/jobs.h"

#include "api/limits.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/sha256.h"
#include "service/store/job_index.h"
#include "service/store/job_reply.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>
#include <string.h>

/* The job that an answer carries as its second element, where it is wanted. */
static enum status take_job(struct redisReply *reply, struct job *out, struct error *err) {
    enum status status = STATUS_OK;
    if (out)
        status = job_from_reply(out, reply->element[1], err);
    redis_reply_free(reply);
    return status;
}

static int64_t deadline_ms(const struct train_spec *spec) {
    int64_t ms;
    return clock_parse(spec->deadline, &ms) ? ms : 0;
}

/* Owners do not meet in their idempotency keys. */
static void digest_key(const char *owner, const char *key, char digest[SHA256_HEX_BYTES]) {
    struct str text = STR_INIT;
    str_addf(&text, "%s%s%s", owner, owner[0] ? "\n" : "", key);
    sha256_hex(str_text(&text), text.len, digest);
    str_release(&text);
}

static enum status refuse_key(struct redisReply *reply, struct error *err) {
    redis_reply_free(reply);
    return error_set_field(err, STATUS_INVALID, "Idempotency-Key",
                           "the key belongs to another request");
}

enum status jobs_submit(struct redis_pool *pool, const struct submission *submission,
                        struct job *out, bool *created, struct error *err) {
    const struct job *job = submission->job;
    char digest[SHA256_HEX_BYTES] = "";
    if (submission->idempotency_key && submission->idempotency_key[0])
        digest_key(job->owner, submission->idempotency_key, digest);
    struct str spec = STR_INIT, indexes = STR_INIT, depends_on = STR_INIT, device = STR_INIT;
    train_spec_add_json(&job->spec, &spec);
    field_add_text(field_find(&train_spec_table, "device"), &job->spec, &device);
    job_indexes_add_json(job, &indexes);
    for (int i = 0; i < job->spec.depends_on.count; i++)
        str_addf(&depends_on, "%s%s", i ? " " : "", job->spec.depends_on.item[i]);
    struct job_call call;
    job_call_begin(&call, job->id, EVENT_BIT(JOB_EVENT_SUBMIT));
    redis_args_text(&call.args, str_text(&spec));
    redis_args_int(&call.args, job->spec.priority);
    redis_args_text(&call.args, digest);
    redis_args_text(&call.args, submission->fingerprint);
    redis_args_int(&call.args, LIMIT_IDEMPOTENCY_MS);
    redis_args_text(&call.args, str_text(&indexes));
    redis_args_text(&call.args, job->rerun_of);
    redis_args_int(&call.args, deadline_ms(&job->spec));
    redis_args_int(&call.args, job->spec.max_runtime_s * 1000);
    redis_args_text(&call.args, str_text(&depends_on));
    redis_args_text(&call.args, job->owner);
    redis_args_int(&call.args, submission->active_jobs);
    redis_args_text(&call.args, str_text(&device));
    struct redisReply *reply;
    enum status status = job_call_run(&call, pool, &script_submit, &reply, err);
    str_release(&spec);
    str_release(&indexes);
    str_release(&depends_on);
    str_release(&device);
    if (status == STATUS_CONFLICT && err && err->field[0])
        err->status = status = STATUS_INVALID; /* the request named what will never succeed */
    if (status)
        return status;
    if (reply_is(reply, "mismatch"))
        return refuse_key(reply, err);
    *created = reply_is(reply, "ok");
    return take_job(reply, out, err);
}

enum status jobs_made_before(struct redis_pool *pool, const char *owner, const char *key,
                             const char *fingerprint, struct job *out, struct error *err) {
    char digest[SHA256_HEX_BYTES];
    struct job_call call;
    struct redisReply *reply;
    if (!key || !key[0])
        return error_set(err, STATUS_NOT_FOUND, "there is no idempotency key");
    digest_key(owner, key, digest);
    job_call_begin(&call, "", 0);
    redis_args_text(&call.args, digest);
    redis_args_text(&call.args, fingerprint);
    enum status status = job_call_run(&call, pool, &script_replay, &reply, err);
    if (status)
        return status;
    if (reply_is(reply, "mismatch"))
        return refuse_key(reply, err);
    if (reply_is(reply, "exists"))
        return take_job(reply, out, err);
    redis_reply_free(reply);
    return error_set(err, STATUS_NOT_FOUND, "nothing was made with this idempotency key");
}

enum status jobs_get(struct redis_pool *pool, const char *id, struct job *out, struct error *err) {
    struct job_call call;
    struct redisReply *reply;
    job_call_begin(&call, id, 0);
    enum status status = job_call_run(&call, pool, &script_show, &reply, err);
    return status ? status : take_job(reply, out, err);
}

/* The script of a user's wish, or NULL. */
static const struct script *script_of(enum job_event event) {
    static const struct script *const scripts[JOB_EVENT_COUNT] = {
        [JOB_EVENT_CANCEL] = &script_cancel,
        [JOB_EVENT_PAUSE] = &script_pause,
        [JOB_EVENT_RESUME] = &script_resume,
        [JOB_EVENT_RETRY] = &script_retry,
    };
    return scripts[event];
}

enum status jobs_change(struct redis_pool *pool, enum job_event event, const char *id,
                        struct job *out, struct error *err) {
    const struct script *script = script_of(event);
    CHECK(script != NULL);
    struct job_call call;
    struct redisReply *reply;
    job_call_begin(&call, id, EVENT_BIT(event));
    enum status status = job_call_run(&call, pool, script, &reply, err);
    if (status == STATUS_CONFLICT)
        error_wrap(err, status, "cannot %s", job_event_slug(event));
    return status ? status : take_job(reply, out, err);
}

enum status jobs_edit(struct redis_pool *pool, const char *id, const struct job_edit *edit,
                      struct job *out, struct error *err) {
    struct str tags = STR_INIT, indexes = STR_INIT;
    struct job_call call;
    struct redisReply *reply;
    job_tags_add_json(&edit->tags, &tags);
    tag_indexes_add_json(&edit->tags, &indexes);
    job_call_begin(&call, id, EVENT_BIT(JOB_EVENT_EDIT));
    redis_args_text(&call.args, edit->has_tags ? str_text(&indexes) : "");
    if (edit->has_name) {
        redis_args_text(&call.args, "name");
        redis_args_text(&call.args, edit->name);
    }
    if (edit->has_tags) {
        redis_args_text(&call.args, "tags");
        redis_args_text(&call.args, str_text(&tags));
    }
    if (edit->has_priority) {
        redis_args_text(&call.args, "priority");
        redis_args_int(&call.args, edit->priority);
    }
    enum status status = job_call_run(&call, pool, &script_edit, &reply, err);
    str_release(&indexes);
    str_release(&tags);
    return status ? status : take_job(reply, out, err);
}

enum status jobs_remove(struct redis_pool *pool, const char *id, struct error *err) {
    struct job_call call;
    struct redisReply *reply;
    job_call_begin(&call, id, EVENT_BIT(JOB_EVENT_REMOVE));
    enum status status = job_call_run(&call, pool, &script_remove, &reply, err);
    redis_reply_free(reply);
    if (status == STATUS_CONFLICT)
        error_wrap(err, status, "cannot remove");
    return status;
}

enum status jobs_count(struct redis_pool *pool, int64_t count[JOB_STATE_COUNT], struct error *err) {
    struct redis_args args = {0};
    struct redisReply *reply;
    for (int state = 0; state < JOB_STATE_COUNT; state++)
        redis_args_text(&args, job_state_slug((enum job_state)state));
    enum status status = pool_script(pool, &script_count, &args, &reply, err);
    if (status)
        return status;
    for (int state = 0; state < JOB_STATE_COUNT; state++)
        count[state] = reply->element[1]->element[state]->integer;
    redis_reply_free(reply);
    return STATUS_OK;
}

enum status jobs_oldest_ms(struct redis_pool *pool, int64_t *age_ms, struct error *err) {
    struct redis_args none = {0};
    struct redisReply *reply;
    enum status status = pool_script(pool, &script_oldest, &none, &reply, err);
    if (status)
        return status;
    *age_ms = strtoll(reply->element[1]->str, NULL, 10);
    redis_reply_free(reply);
    return STATUS_OK;
}
