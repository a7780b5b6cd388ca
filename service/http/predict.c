#include "service/http/handlers.h"

#include "api/cards.h"
#include "engine/base/mem.h"
#include "service/common/log.h"
#include "service/common/signals.h"
#include "service/http/app.h"
#include "service/store/aliases.h"

#include <stdio.h>
#include <stdlib.h>

enum { HTTP_OK = 200 };

/*
 * One request on its way. Its thread decodes the pictures and hands them to the model's batcher;
 * when they come back it goes on. Only if the model must be loaded first does a thread of the crew
 * do the first half.
 */
struct work {
    struct task task; /* first: a task is cast to its work */
    struct request *request;
    struct predict_request asked;
    bool is_raw; /* the body is the picture: not to be freed with asked */
    struct cached_model *model;
    uint8_t *pictures; /* [image_count,h,w,c] */
    float *logits;     /* [image_count,classes] */
    struct batch_request batch;
    bool is_full; /* the batcher's queue */
    enum status status;
    struct error err;
};

static void work_free(void *state) {
    struct work *work = state;
    if (work->is_raw)
        work->asked.image_count = 0;
    predict_request_release(&work->asked);
    model_cache_give(work->request->app->models, work->model);
    mem_free_large(work->pictures);
    mem_free_large(work->logits);
    free(work);
}

/* ---- the answer ---- */

static void add_picture(const struct work *work, int i, int top_k, struct str *out) {
    const struct model_info *info = work->model->info;
    struct prediction *top = xcalloc((size_t)top_k, sizeof *top);
    prediction_top(work->logits + (size_t)i * (size_t)info->classes, info->classes, top_k, top);
    str_add(out, i ? ",[" : "[");
    for (int k = 0; k < top_k; k++) {
        str_add(out, k ? ",{\"label\":" : "{\"label\":");
        str_add_json(out, info->class_names[top[k].index]);
        str_addf(out, ",\"index\":%d,\"score\":", top[k].index);
        str_add_float(out, top[k].score);
        str_add(out, "}");
    }
    str_add(out, "]");
    free(top);
}

static void reply_predictions(const struct work *work, struct reply *reply) {
    int classes = work->model->info->classes;
    int top_k = (int)(work->asked.top_k < classes ? work->asked.top_k : classes);
    struct str *out = reply_json(reply, HTTP_OK);
    str_add(out, "{\"model\":");
    str_add_json(out, work->model->id);
    str_add(out, ",\"predictions\":[");
    for (int i = 0; i < work->asked.image_count; i++)
        add_picture(work, i, top_k, out);
    str_add(out, "]}");
    telemetry_predictions(work->request->app->telemetry, work->asked.image_count);
}

/* What the device has in this process is gone, but another process may find it well. */
static void end_without_device(struct app *app, const struct error *err) {
    if (atomic_exchange(&app->device_lost, true))
        return;
    log_fail("device_lost", log_error_field(err));
    signals_request_stop();
}

static void reply_work(struct request *request, struct reply *reply) {
    const struct work *work = request->state;
    if (work->status == STATUS_DEVICE_LOST)
        end_without_device(request->app, &work->err);
    if (work->is_full)
        reply_problem(reply, PROBLEM_TOO_MANY_REQUESTS, "too many pictures wait for model %s",
                      work->asked.model);
    else if (work->status)
        reply_error(reply, &work->err);
    else
        reply_predictions(work, reply);
}

/* ---- pictures to logits ---- */

/* A broken picture in a list is that field's fault; a broken body cannot be parsed. */
static enum status blame_picture(const struct work *work, int i, enum status status,
                                 struct error *err) {
    if (work->is_raw || status != STATUS_INVALID)
        return status;
    struct error cause = *err;
    char field[ERROR_FIELD_BYTES];
    snprintf(field, sizeof field, "images[%d]", i);
    return error_set_field(err, STATUS_INVALID, field, "%s: %s", field, cause.message);
}

static enum status decode_picture(struct work *work, int i, uint8_t *out) {
    const struct input input = model_input(work->model->info);
    const struct predict_image *image = &work->asked.images[i];
    enum status status = input_decode(&input, image->bytes, image->len, out, &work->err);
    return status ? blame_picture(work, i, status, &work->err) : STATUS_OK;
}

static enum status decode_pictures(struct work *work) {
    const struct model_info *info = work->model->info;
    size_t count = (size_t)work->asked.image_count;
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
        status = decode_picture(work, (int)i, work->pictures + i * picture_bytes);
    return status;
}

/* Called on the batcher's thread. */
static void take_logits(struct batch_request *batch) {
    struct work *work = batch->ctx;
    work->status = batch->status;
    work->err = batch->err;
    request_resume(work->request);
}

/* Hands the suspended request's pictures to the batcher; afterwards the work may be gone. */
static void submit(struct work *work) {
    work->batch = (struct batch_request){
        .pictures = work->pictures,
        .count = work->asked.image_count,
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
static enum status load_model(struct work *work) {
    struct app *app = work->request->app;
    char id[ID_BYTES];
    const char *name;
    enum status status = STATUS_NOT_FOUND;
    for (int i = 0; i < 2 && status == STATUS_NOT_FOUND; i++) {
        status = aliases_resolve(app->config->data, work->asked.model, id, &name, &work->err);
        if (!status)
            status = model_cache_load(app->models, name, &work->model, &work->err);
    }
    return status;
}

/* Called on a thread of the crew, for a request that is suspended. */
static void load_and_submit(struct task *task) {
    struct work *work = (struct work *)task;
    work->status = load_model(work);
    if (!work->status)
        work->status = decode_pictures(work);
    if (work->status)
        request_resume(work->request);
    else
        submit(work);
}

/* Hands the suspended request to the crew, which sets status and err itself if it takes it. */
static void load_later(struct work *work) {
    struct error err;
    enum status status = crew_submit(work->request->app->loaders, &work->task, &err);
    if (!status)
        return;
    work->status = status;
    work->err = err;
    request_resume(work->request);
}

static void start(struct work *work, struct reply *reply) {
    struct request *request = work->request;
    char id[ID_BYTES];
    const char *name;
    work->status =
        aliases_resolve(request->app->config->data, work->asked.model, id, &name, &work->err);
    if (!work->status)
        work->model = model_cache_find(request->app->models, name);
    if (work->model)
        work->status = decode_pictures(work);
    if (work->status) {
        reply_error(reply, &work->err);
        return;
    }
    request_suspend(request, reply_work);
    if (work->model) {
        submit(work);
        return;
    }
    load_later(work);
}

/* ---- POST /predict ---- */

/* Sets a field from the query; an error gets the field's range. */
static enum status set_param(struct work *work, const struct field *field, const char *text,
                             struct error *err) {
    enum status status = field_set_text(field, &work->asked, text, err);
    if (status) {
        struct str range = STR_INIT;
        field_add_range(field, &range);
        status = request_refuse(work->request, field->name, text, str_text(&range), err);
        str_release(&range);
    }
    return status;
}

/* The parameters of a picture as body are in the query, with the same table as in JSON. */
static enum status parse_query(struct work *work, struct error *err) {
    static const char *const names[] = {"model", "top_k"};
    const struct field_table *table = &predict_request_table;
    fields_default(table, &work->asked);
    enum status status = request_check_query(work->request, "model top_k", err);
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !status; i++) {
        const char *text = request_query(work->request, names[i]);
        if (text)
            status = set_param(work, field_find(table, names[i]), text, err);
    }
    if (!status && !work->asked.model[0])
        status = error_set_field(err, STATUS_INVALID, "model", "model is required");
    return status;
}

static enum status parse_raw(struct work *work, struct error *err) {
    const struct request *request = work->request;
    enum status status = parse_query(work, err);
    work->is_raw = true;
    work->asked.image_count = 1;
    work->asked.images[0].bytes = (uint8_t *)(uintptr_t)request->body;
    work->asked.images[0].len = request->body_len;
    return status;
}

static enum status parse_json(struct work *work, struct field_errors *errors, struct error *err) {
    struct request *request = work->request;
    enum status status = request_check_query(request, "", err);
    return status ? status
                  : predict_request_decode(&work->asked, request->body, request->body_len, errors,
                                           err);
}

void handle_predict(struct request *request, struct reply *reply) {
    struct work *work = xcalloc(1, sizeof *work);
    work->request = request;
    work->task.run = load_and_submit;
    request->state = work;
    request->release = work_free;
    struct field_errors errors = {.count = 0};
    struct error err;
    bool is_json = str_equal(request->content_type, "application/json");
    enum status status = is_json ? parse_json(work, &errors, &err) : parse_raw(work, &err);
    if (status)
        request_fail(request, reply, &err, &errors);
    else
        start(work, reply);
}
