#include "service/http/handlers.h"

#include "api/codec.h"
#include "engine/base/mem.h"
#include "engine/base/sha256.h"
#include "service/common/log.h"
#include "service/http/app.h"
#include "service/http/chore.h"
#include "service/http/idempotency.h"
#include "service/http/job_inputs.h"
#include "service/store/folders.h"
#include "service/store/guard.h"
#include "service/store/jobs.h"
#include "service/store/retention.h"

#include <math.h>
#include <stdlib.h>

static void reply_job(struct reply *reply, int code, const struct job *job) {
    job_add_json(job, reply_json(reply, code));
}

/* ---- POST /jobs ---- */

/* A job on its way in. */
struct creation {
    struct chore chore; /* first */
    struct train_spec spec;
    struct job_needs needs;
    struct job_inputs inputs;
    struct train_estimate estimate;
    char key[IDEMPOTENCY_KEY_BYTES]; /* or empty */
    char fingerprint[SHA256_HEX_BYTES];
};

static void creation_free(void *state) {
    struct creation *creation = state;
    job_inputs_release(&creation->inputs);
    job_needs_release(&creation->needs);
    free(creation);
}

static enum status reply_estimate(struct request *request, struct reply *reply, struct error *err) {
    const struct creation *creation = request->state;
    enum status status = chore_result(&creation->chore, err);
    if (status)
        return status;
    const struct train_estimate *from = &creation->estimate;
    struct job_estimate estimate = {
        .student_parameters = from->student_parameters,
        .teacher_parameters = from->teacher_parameters,
        .flops_per_step = from->flops_per_step,
        .steps = from->steps,
        .memory_bytes = (int64_t)from->memory_bytes,
        .seconds = NAN,
    };
    struct str *out = reply_json(reply, HTTP_OK);
    str_add(out, "{\"spec\":");
    train_spec_add_json(&creation->spec, out);
    fields_add_json(&job_estimate_table, &estimate, 0, str_json_key(out, "estimate"));
    str_add(out, "}");
    return STATUS_OK;
}

static enum status estimate(struct chore *chore, struct error *err) {
    struct creation *creation = (struct creation *)chore;
    return job_inputs_estimate(&creation->inputs, &creation->spec, &creation->estimate, err);
}

static void blame_inputs(const struct creation *creation, const struct error *err) {
    struct str range = STR_INIT;
    job_inputs_add_range(err->field, &range);
    request_blame(creation->chore.request, &train_spec_table, &creation->spec,
                  range.len ? str_text(&range) : NULL, err);
    str_release(&range);
}

static void reply_made(struct reply *reply, const struct job *made) {
    reply_job(reply, HTTP_CREATED, made);
    reply_header(reply, "Location", "/jobs/%s", made->id);
}

static enum status submit(struct creation *creation, struct reply *reply, struct error *err) {
    struct request *request = creation->chore.request;
    char id[ID_BYTES];
    struct job job, made;
    bool created;
    id_make(&request->app->ids, ID_PREFIX_JOB, id);
    job_init(&job, id, &creation->spec, clock_wall_ms());
    str_copy(job.owner, sizeof job.owner, request->holder->name);
    struct submission submission = {.job = &job,
                                    .idempotency_key = creation->key,
                                    .fingerprint = creation->fingerprint,
                                    .active_jobs = request->holder->limits.active_jobs};
    enum status status = jobs_submit(request->app->pool, &submission, &made, &created, err);
    if (status)
        return status;
    log_info("job_submitted", log_text("job", made.id), log_int("created", created),
             request_by(request));
    reply_made(reply, &made);
    return STATUS_OK;
}

/* Answers a request that was made before, whatever has become of what it names; NOT_FOUND when it
 * is new. */
static enum status replay(struct creation *creation, struct reply *reply, struct error *err) {
    struct request *request = creation->chore.request;
    struct job made;
    sha256_hex(request->body, request->body_len, creation->fingerprint);
    enum status status = jobs_made_before(request->app->pool, request->holder->name, creation->key,
                                          creation->fingerprint, &made, err);
    if (!status)
        reply_made(reply, &made);
    return status;
}

/* What a teacher costs is read from its file. */
static enum status check_models_are_there(const struct job_needs *needs, struct error *err) {
    const char *field = needs->teacher ? "teacher" : needs->init ? "init" : "model";
    if (!needs->teacher && !needs->init && !needs->model)
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, field,
                           "the model is not made yet, so the cost cannot be told");
}

static enum status proceed(struct creation *creation, bool dry_run, struct reply *reply,
                           struct error *err) {
    const struct app *app = creation->chore.request->app;
    int guard; /* what has been found stays until it is named */
    enum status status = guard_share(&guard, app->config->data, err);
    if (!status)
        status = job_needs_resolve(&creation->needs, app, &creation->spec, err);
    if (!status)
        status = job_inputs_find(&creation->inputs, app->config->data, &creation->spec,
                                 &creation->needs, err);
    if (!status && creation->spec.method == METHOD_PREDICT)
        str_copy(creation->spec.student, sizeof creation->spec.student,
                 creation->inputs.model.card.architecture);
    if (!status && dry_run)
        status = check_models_are_there(&creation->needs, err);
    else if (!status)
        status = submit(creation, reply, err);
    if (status)
        blame_inputs(creation, err);
    else if (dry_run)
        chore_start(&creation->chore, creation->chore.request, app->loaders, estimate,
                    reply_estimate);
    guard_give(&guard);
    return status;
}

enum status handle_job_create(struct request *request, struct reply *reply, struct error *err) {
    struct creation *creation = xcalloc(1, sizeof *creation);
    creation->chore.request = request;
    request->state = creation;
    request->release = creation_free;
    bool dry_run = request_query_value(request, "dry_run");
    enum status status = idempotency_key(request, creation->key, err);
    if (!status && !dry_run) {
        status = replay(creation, reply, err);
        if (status != STATUS_NOT_FOUND)
            return status;
        status = STATUS_OK;
    }
    if (!status)
        status =
            job_spec_decode(&creation->spec, request->body, request->body_len, request->wrong, err);
    if (!status && !dry_run)
        status = job_inputs_check_room(request->app->config, &creation->spec, err);
    return status ? status : proceed(creation, dry_run, reply, err);
}

/* ---- wishes ---- */

/* A job that was cancelled while nobody ran it leaves a checkpoint that is of no use. */
static enum status clear_up(struct request *request, const struct job *job, struct error *err) {
    if (job->state != JOB_CANCELLED)
        return STATUS_OK;
    return folders_remove_job(request->app->config->data, job->id, err);
}

static enum status change(struct request *request, struct reply *reply, enum job_event event,
                          struct error *err) {
    struct job job;
    enum status status = jobs_change(request->app->pool, event, request->arg, &job, err);
    if (!status)
        status = clear_up(request, &job, err);
    if (status)
        return status;
    log_info("job_changed", log_text("job", job.id), log_text("change", job_event_slug(event)),
             request_by(request));
    reply_job(reply, HTTP_OK, &job);
    return STATUS_OK;
}

enum status handle_job_cancel(struct request *request, struct reply *reply, struct error *err) {
    return change(request, reply, JOB_EVENT_CANCEL, err);
}

enum status handle_job_pause(struct request *request, struct reply *reply, struct error *err) {
    return change(request, reply, JOB_EVENT_PAUSE, err);
}

enum status handle_job_resume(struct request *request, struct reply *reply, struct error *err) {
    return change(request, reply, JOB_EVENT_RESUME, err);
}

enum status handle_job_retry(struct request *request, struct reply *reply, struct error *err) {
    return change(request, reply, JOB_EVENT_RETRY, err);
}

enum status handle_job_edit(struct request *request, struct reply *reply, struct error *err) {
    struct job_edit edit;
    struct job job;
    enum status status =
        job_edit_decode(&edit, request->body, request->body_len, request->wrong, err);
    if (!status)
        status = jobs_edit(request->app->pool, request->arg, &edit, &job, err);
    if (status)
        return status;
    log_info("job_changed", log_text("job", job.id), log_text("change", "edit"),
             request_by(request));
    reply_job(reply, HTTP_OK, &job);
    return STATUS_OK;
}

enum status handle_job_remove(struct request *request, struct reply *reply, struct error *err) {
    enum status status =
        retention_remove_job(request->app->pool, request->app->config->data, request->arg, err);
    if (status)
        return status;
    log_info("job_removed", log_text("job", request->arg), request_by(request));
    reply->code = HTTP_NO_CONTENT;
    return STATUS_OK;
}
