#include "service/http/handlers.h"

#include "api/codec.h"
#include "engine/base/mem.h"
#include "engine/base/sha256.h"
#include "service/common/log.h"
#include "service/http/app.h"
#include "service/http/chore.h"
#include "service/http/idempotency.h"
#include "service/http/job_inputs.h"
#include "service/store/guard.h"
#include "service/store/jobs.h"

#include <stdlib.h>
#include <string.h>

/* A job that is to run again. */
struct rerun {
    struct chore chore;              /* first */
    char key[IDEMPOTENCY_KEY_BYTES]; /* or empty */
    char fingerprint[SHA256_HEX_BYTES];
    struct job job;  /* that runs again */
    struct job made; /* by this request; its id is "" until then */
    struct job_inputs inputs;
    struct model model; /* that it made; zeroed when there is none */
    char identity[TRAINER_IDENTITY_BYTES];
};

static void rerun_free(void *state) {
    struct rerun *rerun = state;
    job_inputs_release(&rerun->inputs);
    model_release(&rerun->model);
    free(rerun);
}

/* ---- whether the bytes will be the same ---- */

static void add_difference(bool differs, const char *what, struct str *out) {
    if (differs)
        str_add_json(str_json_item(out), what);
}

/* What the first run was made of and this one is not; nothing is known without its model. */
static void add_verdict(const struct rerun *rerun, struct str *out) {
    const struct model_card *card = &rerun->model.card;
    struct str differences = STR_INIT;
    if (!card->id[0] || !card->engine[0]) {
        str_add(out, ",\"identical\":null,\"differences\":[]}");
        return;
    }
    add_difference(!str_equal(card->engine, rerun->identity), "engine", &differences);
    add_difference(!str_equal(card->dataset_sha256, rerun->inputs.dataset.card.sha256), "dataset",
                   &differences);
    add_difference(!card->reproducible, "first_run", &differences);
    str_addf(out, ",\"identical\":%s,\"differences\":[%s]}", differences.len ? "false" : "true",
             str_text(&differences));
    str_release(&differences);
}

/* ---- submission ---- */

static enum status find_inputs(struct rerun *rerun, struct error *err) {
    const struct job_needs none = {0};
    job_inputs_release(&rerun->inputs);
    return job_inputs_find(&rerun->inputs, rerun->chore.request->app->config->data,
                           &rerun->job.spec, &none, err);
}

static enum status submit(struct rerun *rerun, struct error *err) {
    struct request *request = rerun->chore.request;
    char id[ID_BYTES];
    struct job job;
    bool created;
    id_make(&request->app->ids, ID_PREFIX_JOB, id);
    job_init(&job, id, &rerun->job.spec, clock_wall_ms());
    str_copy(job.owner, sizeof job.owner, request->holder->name);
    str_copy(job.rerun_of, sizeof job.rerun_of, rerun->job.id);
    const struct submission submission = {.job = &job,
                                          .idempotency_key = rerun->key,
                                          .fingerprint = rerun->fingerprint,
                                          .active_jobs = request->holder->limits.active_jobs};
    int guard; /* what is found stays until it is named */
    enum status status = guard_share(&guard, request->app->config->data, err);
    if (!status)
        status = find_inputs(rerun, err);
    if (!status)
        status = jobs_submit(request->app->pool, &submission, &rerun->made, &created, err);
    guard_give(&guard);
    if (!status)
        log_info("job_submitted", log_text("job", rerun->made.id),
                 log_text("rerun_of", rerun->job.id), request_by(request));
    return status;
}

static enum status reply_rerun(struct request *request, struct reply *reply, struct error *err) {
    struct rerun *rerun = request->state;
    enum status status = chore_result(&rerun->chore, err);
    if (!status && !rerun->made.id[0])
        status = submit(rerun, err);
    if (status)
        return status;
    struct str *out = reply_json(reply, HTTP_CREATED);
    str_add(out, "{\"job\":");
    job_add_json(&rerun->made, out);
    add_verdict(rerun, out);
    reply_header(reply, "Location", "/jobs/%s", rerun->made.id);
    return STATUS_OK;
}

/* ---- what it needs ---- */

static enum status identify(struct chore *chore, struct error *err) {
    struct rerun *rerun = (struct rerun *)chore;
    return trainer_identity(&rerun->job.spec, rerun->identity, err);
}

/* A model that was removed tells nothing; that is no fault of the request. */
static void find_model(struct rerun *rerun) {
    const char *data = rerun->chore.request->app->config->data;
    if (rerun->job.model[0] && models_find(&rerun->model, data, rerun->job.model, NULL))
        rerun->model = (struct model){0};
}

/* What the first run waited for is over, and so may its deadline be. */
static void forget_first_run(struct train_spec *spec) {
    spec->depends_on.count = 0;
    spec->deadline[0] = '\0';
}

static enum status find_first_run(struct rerun *rerun, struct error *err) {
    struct request *request = rerun->chore.request;
    enum status status = jobs_get(request->app->pool, request->arg, &rerun->job, err);
    if (!status)
        forget_first_run(&rerun->job.spec);
    return status;
}

static enum status prepare(struct rerun *rerun, struct error *err) {
    enum status status = find_first_run(rerun, err);
    if (!status)
        status = job_inputs_check_room(rerun->chore.request->app->config, &rerun->job.spec, err);
    if (!status)
        status = find_inputs(rerun, err);
    if (!status)
        find_model(rerun);
    return status;
}

/* A request that was made before: its job is there, the rest of the answer as far as that still is.
 */
static void recall(struct rerun *rerun) {
    struct error ignored;
    if (find_first_run(rerun, &ignored) != STATUS_OK)
        rerun->job = (struct job){.spec = rerun->made.spec};
    else if (find_inputs(rerun, &ignored) == STATUS_OK)
        find_model(rerun);
}

static enum status prepare_or_recall(struct rerun *rerun, struct error *err) {
    struct request *request = rerun->chore.request;
    sha256_hex(request->arg, strlen(request->arg), rerun->fingerprint);
    enum status status = jobs_made_before(request->app->pool, request->holder->name, rerun->key,
                                          rerun->fingerprint, &rerun->made, err);
    if (status == STATUS_NOT_FOUND)
        return prepare(rerun, err);
    if (!status)
        recall(rerun);
    return status;
}

enum status handle_job_rerun(struct request *request, struct reply *reply, struct error *err) {
    (void)reply;
    struct rerun *rerun = xcalloc(1, sizeof *rerun);
    rerun->chore.request = request;
    request->state = rerun;
    request->release = rerun_free;
    enum status status = idempotency_key(request, rerun->key, err);
    if (!status)
        status = prepare_or_recall(rerun, err);
    if (!status)
        chore_start(&rerun->chore, request, request->app->loaders, identify, reply_rerun);
    return status;
}
