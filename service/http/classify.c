#include "service/http/classify.h"

#include "api/limits.h"
#include "engine/base/mem.h"
#include "service/common/log.h"
#include "service/common/signals.h"
#include "service/store/aliases.h"

void classification_release(struct classification *work) {
    model_cache_give(work->chore.request->app->models, work->model);
    mem_free_large(work->pictures);
    mem_free_large(work->logits);
}

/* ---- the answer ---- */

/* What the device has in this process is gone, but another process may find it well. */
static void end_without_device(struct app *app, const struct error *err) {
    if (atomic_exchange(&app->device_lost, true))
        return;
    log_fail("device_lost", log_error_field(err));
    signals_request_stop();
}

static enum status reply_work(struct request *request, struct reply *reply, struct error *err) {
    const struct classification *work = request->state;
    if (work->chore.status == STATUS_DEVICE_LOST)
        end_without_device(request->app, &work->chore.err);
    if (work->is_full) {
        reply_problem(reply, PROBLEM_TOO_MANY_REQUESTS, "too many pictures wait for model %s",
                      work->model_id);
        return STATUS_OK;
    }
    enum status status = chore_result(&work->chore, err);
    if (status)
        return status;
    telemetry_predictions(request->app->telemetry, work->count);
    return work->answer(work, reply, err);
}

/* ---- pictures to logits ---- */

static enum status take_pictures(struct classification *work, struct error *err) {
    const struct model_info *info = work->model->info;
    size_t count = (size_t)work->count;
    size_t picture_bytes = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
    void *logits = NULL, *pictures = NULL;
    enum status status =
        mem_alloc_large(&pictures, count * picture_bytes, "pictures of a request", err);
    work->pictures = pictures;
    if (!status)
        status = mem_alloc_large(&logits, count * (size_t)info->classes * sizeof(float),
                                 "logits of a request", err);
    work->logits = logits;
    for (size_t i = 0; i < count && !status; i++)
        status = work->take(work, (int)i, work->pictures + i * picture_bytes, err);
    return status;
}

/* What must be done before the batcher; the model is there. */
static enum status prepare(struct chore *chore, struct error *err) {
    struct classification *work = (struct classification *)chore;
    enum status status = work->check ? work->check(work, err) : STATUS_OK;
    return status || !work->count ? status : take_pictures(work, err);
}

/* Called on the batcher's thread. */
static void take_logits(struct batch_request *batch) {
    struct classification *work = batch->ctx;
    work->chore.status = batch->status;
    work->chore.err = batch->err;
    request_resume(work->chore.request);
}

/* Hands the suspended request's pictures to the batcher; afterwards the work may be gone. */
static void submit(struct classification *work) {
    work->batch = (struct batch_request){
        .pictures = work->pictures,
        .count = work->count,
        .logits = work->logits,
        .done = take_logits,
        .ctx = work,
    };
    struct error err;
    enum status status = batcher_submit(work->model->batcher, &work->batch, &err);
    if (!status)
        return;
    work->chore.status = status;
    work->chore.err = err;
    work->is_full = status == STATUS_TOO_LARGE;
    request_resume(work->chore.request);
}

/* Once more where it is gone: an alias may have been moved, and its model removed, meanwhile. */
static enum status load_model(struct chore *chore, struct error *err) {
    struct classification *work = (struct classification *)chore;
    struct app *app = chore->request->app;
    char id[ID_BYTES];
    const char *name;
    enum status status = STATUS_NOT_FOUND;
    for (int i = 0; i < 2 && status == STATUS_NOT_FOUND; i++) {
        status = aliases_resolve(app->config->data, work->model_id, id, &name, err);
        if (!status)
            status = model_cache_load(app->models, name, &work->model, err);
    }
    return status;
}

/* ---- step by step, each the last one's continuation ---- */

static enum status run_step(struct request *request, struct reply *reply, struct error *err) {
    struct classification *work = request->state;
    if (work->chore.status || !work->count)
        return reply_work(request, reply, err);
    request_suspend(request, reply_work);
    submit(work);
    return STATUS_OK;
}

static enum status prepare_step(struct request *request, struct reply *reply, struct error *err) {
    struct classification *work = request->state;
    struct chore *chore = &work->chore;
    if (!chore->status && work->pixels > LIMIT_INLINE_PIXELS) {
        chore_start(chore, request, request->app->decoders, prepare, run_step);
        return STATUS_OK;
    }
    if (!chore->status)
        chore->status = prepare(chore, &chore->err);
    return run_step(request, reply, err);
}

enum status classify(struct classification *work, struct reply *reply, struct error *err) {
    struct chore *chore = &work->chore;
    struct request *request = chore->request;
    struct app *app = request->app;
    char id[ID_BYTES];
    const char *name;
    chore->status = aliases_resolve(app->config->data, work->model_id, id, &name, &chore->err);
    if (!chore->status)
        work->model = model_cache_find(app->models, name);
    if (chore->status || work->model)
        return prepare_step(request, reply, err);
    chore_start(chore, request, app->loaders, load_model, prepare_step);
    return STATUS_OK;
}
