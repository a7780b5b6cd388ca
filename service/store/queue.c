#include "service/store/queue.h"

#include "api/codec.h"
#include "engine/base/mem.h"
#include "service/store/job_reply.h"

#include <hiredis/hiredis.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every write of a worker names the attempt it belongs to. */
static void begin(struct job_call *call, const struct claim *claim, enum job_event event) {
    job_call_begin(call, claim->job.id, EVENT_BIT(event));
    redis_args_int(&call->args, claim->job.attempt);
}

static enum status run(struct job_call *call, struct redis_pool *pool, const struct script *script,
                       struct error *err) {
    struct redisReply *reply;
    enum status status = job_call_run(call, pool, script, &reply, err);
    redis_reply_free(reply);
    return status;
}

/* A job that cannot be read fails here, or its claim would come back for ever. */
static enum status take_claim(struct redis_pool *pool, struct claim *claim,
                              const struct redisReply *fields, struct error *err) {
    struct error cause = {0};
    enum status status = job_from_reply(&claim->job, fields, &cause);
    claim->published_train_step = reply_field_int(fields, "last_train", -1);
    claim->published_eval_step = reply_field_int(fields, "last_eval", -1);
    if (!status)
        return STATUS_OK;
    struct job_error error = {.code = status, .step = -1, .attempt = claim->job.attempt};
    str_copy(error.message, sizeof error.message, cause.message);
    status = queue_fail(pool, claim, &error, err);
    return status ? status : error_set(err, STATUS_CORRUPT, "%s", error.message);
}

enum status queue_claim(struct redis_pool *pool, const struct worker_name *worker, int64_t lease_ms,
                        int64_t max_lost, struct claim *claim, struct error *err) {
    struct job_call call;
    struct redisReply *reply;
    job_call_begin(&call, worker->name,
                   EVENT_BIT(JOB_EVENT_CLAIM) | EVENT_BIT(JOB_EVENT_REAP) |
                       EVENT_BIT(JOB_EVENT_POISON));
    redis_args_text(&call.args, worker->instance);
    redis_args_int(&call.args, lease_ms);
    redis_args_int(&call.args, max_lost);
    for (int i = 0; worker->devices && i < worker->devices->count; i++)
        redis_args_text(&call.args, worker->devices->item[i]);
    enum status status = job_call_run(&call, pool, &script_claim, &reply, err);
    if (status)
        return status;
    if (reply_is(reply, "none"))
        status = error_set(err, STATUS_NOT_FOUND, "no job waits");
    else
        status = take_claim(pool, claim, reply->element[1], err);
    redis_reply_free(reply);
    return status;
}

enum status queue_renew(struct redis_pool *pool, const struct claim *claim, int64_t lease_ms,
                        const struct job_progress *progress, enum job_request *wish,
                        struct error *err) {
    struct str json = STR_INIT;
    fields_add_json(&job_progress_table, progress, 0, &json);
    struct job_call call;
    struct redisReply *reply;
    begin(&call, claim, JOB_EVENT_RENEW);
    redis_args_int(&call.args, lease_ms);
    redis_args_text(&call.args, str_text(&json));
    enum status status = job_call_run(&call, pool, &script_renew, &reply, err);
    str_release(&json);
    if (status)
        return status;
    if (!job_request_parse(reply->element[1]->str, wish))
        status = error_set(err, STATUS_CORRUPT, "unknown wish %s", reply->element[1]->str);
    redis_reply_free(reply);
    return status;
}

enum status queue_publish(struct redis_pool *pool, const struct claim *claim,
                          const struct point *point, struct error *err) {
    static const char *const phases[] = {[POINT_TRAIN] = "train", [POINT_EVAL] = "eval"};
    struct str json = STR_INIT;
    struct point written = *point;
    written.seq = 1; /* the script numbers and dates it; readers replace these */
    clock_format(clock_wall_ms(), written.time);
    point_add_json(&written, &json);
    struct job_call call;
    begin(&call, claim, JOB_EVENT_PROGRESS);
    redis_args_text(&call.args, phases[point->phase]);
    redis_args_int(&call.args, point->step);
    redis_args_text(&call.args, str_text(&json));
    if (point->phase == POINT_EVAL && isfinite(point->top1))
        redis_args_double(&call.args, point->top1);
    else
        redis_args_text(&call.args, "");
    enum status status = run(&call, pool, &script_progress, err);
    str_release(&json);
    return status;
}

enum status queue_finish(struct redis_pool *pool, const struct claim *claim, const char *model,
                         bool reproducible, struct error *err) {
    struct job_call call;
    begin(&call, claim, JOB_EVENT_FINISH);
    redis_args_text(&call.args, model);
    redis_args_int(&call.args, reproducible);
    return run(&call, pool, &script_finish, err);
}

enum status queue_fail(struct redis_pool *pool, const struct claim *claim,
                       const struct job_error *error, struct error *err) {
    struct str json = STR_INIT;
    job_error_add_json(error, &json);
    struct job_call call;
    begin(&call, claim, JOB_EVENT_FAIL);
    redis_args_text(&call.args, str_text(&json));
    enum status status = run(&call, pool, &script_fail, err);
    str_release(&json);
    return status;
}

enum status queue_release(struct redis_pool *pool, const struct claim *claim, enum job_state *state,
                          struct error *err) {
    struct job_call call;
    struct redisReply *reply;
    struct job *job = xcalloc(1, sizeof *job);
    begin(&call, claim, JOB_EVENT_RELEASE);
    enum status status = job_call_run(&call, pool, &script_release, &reply, err);
    if (!status)
        status = job_from_reply(job, reply->element[1], err);
    if (!status)
        *state = job->state;
    redis_reply_free(reply);
    free(job);
    return status;
}

enum status queue_reap(struct redis_pool *pool, int64_t max_lost, struct reaped *reaped,
                       struct error *err) {
    struct job_call call;
    struct redisReply *reply;
    job_call_begin(&call, "", EVENT_BIT(JOB_EVENT_REAP) | EVENT_BIT(JOB_EVENT_POISON));
    redis_args_int(&call.args, max_lost);
    enum status status = job_call_run(&call, pool, &script_reap, &reply, err);
    if (status)
        return status;
    int *const counts[] = {&reaped->requeued, &reaped->failed, &reaped->ended, &reaped->repaired};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        *counts[i] = (int)reply->element[i + 1]->integer;
    redis_reply_free(reply);
    return STATUS_OK;
}
