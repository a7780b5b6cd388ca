#include "service/http/classify.h"

#include "engine/base/mem.h"
#include "service/common/log.h"
#include "service/common/signals.h"
#include "service/store/aliases.h"

void classification_release(struct classification *work) {
    model_cache_give(work->request->app->models, work->model);
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

static void reply_work(struct request *request, struct reply *reply) {
    const struct classification *work = request->state;
    if (work->status == STATUS_DEVICE_LOST)
        end_without_device(request->app, &work->err);
    if (work->is_full) {
        reply_problem(reply, PROBLEM_TOO_MANY_REQUESTS, "too many pictures wait for model %s",
                      work->model_id);
    } else if (work->status) {
        reply_error(reply, &work->err);
    } else {
        telemetry_predictions(request->app->telemetry, work->count);
        work->answer(work, reply);
    }
}

/* ---- pictures to logits ---- */

static enum status take_pictures(struct classification *work) {
    const struct model_info *info = work->model->info;
    size_t count = (size_t)work->count;
    size_t picture_bytes = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
    void *logits = NULL, *pictures = NULL;
    enum status status =
        mem_alloc_large(&pictures, count * picture_bytes, "pictures of a request", &work->err);
    work->pictures = pictures;
    if (!status)
        status = mem_alloc_large(&logits, count * (size_t)info->classes * sizeof(float),
                                 "logits of a request", &work->err);
    work->logits = logits;
    for (size_t i = 0; i < count && !status; i++)
        status = work->take(work, (int)i, work->pictures + i * picture_bytes, &work->err);
    return status;
}

/* What must be done before the batcher; the model is there. */
static enum status prepare(struct classification *work) {
    enum status status = work->check ? work->check(work, &work->err) : STATUS_OK;
    return status || !work->count ? status : take_pictures(work);
}

/* Called on the batcher's thread. */
static void take_logits(struct batch_request *batch) {
    struct classification *work = batch->ctx;
    work->status = batch->status;
    work->err = batch->err;
    request_resume(work->request);
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
    work->status = status;
    work->err = err;
    work->is_full = status == STATUS_TOO_LARGE;
    request_resume(work->request);
}

/* Once more where it is gone: an alias may have been moved, and its model removed, meanwhile. */
static enum status load_model(struct classification *work) {
    struct app *app = work->request->app;
    char id[ID_BYTES];
    const char *name;
    enum status status = STATUS_NOT_FOUND;
    for (int i = 0; i < 2 && status == STATUS_NOT_FOUND; i++) {
        status = aliases_resolve(app->config->data, work->model_id, id, &name, &work->err);
        if (!status)
            status = model_cache_load(app->models, name, &work->model, &work->err);
    }
    return status;
}

/* Called on a thread of the crew, for a request that is suspended. */
static void load_and_submit(struct task *task) {
    struct classification *work = (struct classification *)task;
    work->status = load_model(work);
    if (!work->status)
        work->status = prepare(work);
    if (work->status || !work->count)
        request_resume(work->request);
    else
        submit(work);
}

/* Hands the suspended request to the crew, which sets status and err itself if it takes it. */
static void load_later(struct classification *work) {
    struct error err;
    work->task.run = load_and_submit;
    enum status status = crew_submit(work->request->app->loaders, &work->task, &err);
    if (!status)
        return;
    work->status = status;
    work->err = err;
    request_resume(work->request);
}

void classify(struct classification *work, struct reply *reply) {
    struct request *request = work->request;
    char id[ID_BYTES];
    const char *name;
    work->status =
        aliases_resolve(request->app->config->data, work->model_id, id, &name, &work->err);
    if (!work->status)
        work->model = model_cache_find(request->app->models, name);
    if (work->model)
        work->status = prepare(work);
    if (work->status || (work->model && !work->count)) {
        reply_work(request, reply);
        return;
    }
    request_suspend(request, reply_work);
    if (work->model)
        submit(work);
    else
        load_later(work);
}
