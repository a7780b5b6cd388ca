#include "api/limits.h"
#include "service/http/handlers.h"

#include "api/cards.h"
#include "engine/base/mem.h"
#include "service/http/classify.h"
#include "service/http/multipart.h"

#include <stdio.h>
#include <stdlib.h>

/* One request on its way. */
struct work {
    struct classification base; /* first */
    struct predict_request asked;
    bool is_raw;     /* the body is the picture */
    bool is_in_body; /* the pictures are in the body: not to be freed with asked */
};

static void work_free(void *state) {
    struct work *work = state;
    if (work->is_in_body)
        work->asked.image_count = 0;
    predict_request_release(&work->asked);
    classification_release(&work->base);
    free(work);
}

/* ---- the answer ---- */

static void add_picture(const struct work *work, int i, int top_k, struct str *out) {
    const struct model_info *info = work->base.model->info;
    struct prediction *top = xcalloc((size_t)top_k, sizeof *top);
    prediction_top(work->base.logits + (size_t)i * (size_t)info->classes, info->classes, top_k,
                   top);
    str_add(str_json_item(out), "[");
    for (int k = 0; k < top_k; k++) {
        str_add(str_json_item(out), "{\"label\":");
        str_add_json(out, info->class_names[top[k].index]);
        str_addf(out, ",\"index\":%d,\"score\":", top[k].index);
        str_add_float(out, top[k].score);
        str_add(out, "}");
    }
    str_add(out, "]");
    free(top);
}

static void add_logits(const struct work *work, struct str *out) {
    int classes = work->base.model->info->classes;
    str_add(out, ",\"logits\":[");
    for (int i = 0; i < work->asked.image_count; i++) {
        const float *row = work->base.logits + (size_t)i * (size_t)classes;
        str_add(str_json_item(out), "[");
        for (int c = 0; c < classes; c++)
            str_add_float(str_json_item(out), row[c]);
        str_add(out, "]");
    }
    str_add(out, "]");
}

static enum status reply_predictions(const struct classification *base, struct reply *reply,
                                     struct error *err) {
    (void)err;
    const struct work *work = (const struct work *)base;
    int classes = work->base.model->info->classes;
    int top_k = (int)(work->asked.top_k < classes ? work->asked.top_k : classes);
    struct str *out = reply_json(reply, HTTP_OK);
    str_add(out, "{\"model\":");
    str_add_json(out, work->base.model->id);
    str_add(out, ",\"predictions\":[");
    for (int i = 0; i < work->asked.image_count; i++)
        add_picture(work, i, top_k, out);
    str_add(out, "]");
    if (work->asked.output == PREDICT_LOGITS)
        add_logits(work, out);
    str_add(out, "}");
    return STATUS_OK;
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

static enum status take_picture(const struct classification *base, int i, uint8_t *out,
                                struct error *err) {
    const struct work *work = (const struct work *)base;
    const struct input input = model_input(base->model->info);
    const struct predict_image *image = &work->asked.images[i];
    enum status status = input_decode(&input, image->bytes, image->len, out, err);
    return status ? blame_picture(work, i, status, err) : STATUS_OK;
}

/* ---- POST /predict ---- */

/* What is in the query beside a picture, and in the body if that is JSON. */
static const char *const params[] = {"model", "top_k", "output"};

/* Sets a field from the query; an error gets the field's range. */
static enum status set_param(struct work *work, const struct field *field, const char *text,
                             struct error *err) {
    enum status status = field_set_text(field, &work->asked, text, err);
    if (status) {
        struct str range = STR_INIT;
        field_add_range(field, &range);
        status = request_refuse(work->base.chore.request, field->name, text, str_text(&range), err);
        str_release(&range);
    }
    return status;
}

/* The parameters of a picture as body are in the query, with the same table as in JSON. */
static enum status parse_query(struct work *work, struct error *err) {
    const struct field_table *table = &predict_request_table;
    fields_default(table, &work->asked);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof params / sizeof params[0] && !status; i++) {
        const char *text = request_query(work->base.chore.request, params[i]);
        if (text)
            status = set_param(work, field_find(table, params[i]), text, err);
    }
    if (!status && !work->asked.model[0])
        status = error_set_field(err, STATUS_INVALID, "model", "model is required");
    return status;
}

/* Notes a picture that is part of the body. */
static void add_image(struct work *work, const char *bytes, size_t len) {
    work->is_in_body = true;
    work->asked.images[work->asked.image_count++] =
        (struct predict_image){(uint8_t *)(uintptr_t)bytes, len};
}

static enum status parse_raw(struct work *work, struct error *err) {
    const struct request *request = work->base.chore.request;
    work->is_raw = true;
    add_image(work, request->body, request->body_len);
    return parse_query(work, err);
}

/* Every part is a picture, whatever its name. */
static enum status parse_form(struct work *work, struct error *err) {
    const struct request *request = work->base.chore.request;
    struct multipart form;
    struct multipart_part part;
    enum status status = parse_query(work, err);
    if (!status)
        status = multipart_begin(&form, request_header(request, "Content-Type"), request->body,
                                 request->body_len, err);
    bool too_many = false;
    while (!status && !form.is_done && !too_many) {
        status = multipart_next(&form, &part, err);
        too_many = !status && work->asked.image_count == LIMIT_PICTURES;
        if (!status && !too_many)
            add_image(work, part.bytes, part.len);
    }
    if (status || (work->asked.image_count && !too_many))
        return status;
    return error_set_field(err, STATUS_INVALID, "images", "the form must have 1 to %d pictures, %s",
                           LIMIT_PICTURES, too_many ? "it has more" : "it has none");
}

static enum status check_json_query(const struct request *request, struct error *err) {
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++)
        if (request_query(request, params[i]))
            return error_set_field(err, STATUS_INVALID, params[i],
                                   "with JSON, %s belongs in the body", params[i]);
    return STATUS_OK;
}

static enum status parse_json(struct work *work, struct error *err) {
    struct request *request = work->base.chore.request;
    enum status status = check_json_query(request, err);
    return status ? status
                  : predict_request_decode(&work->asked, request->body, request->body_len,
                                           request->wrong, err);
}

enum status handle_predict(struct request *request, struct reply *reply, struct error *err) {
    struct work *work = xcalloc(1, sizeof *work);
    work->base = (struct classification){
        .chore.request = request, .take = take_picture, .answer = reply_predictions};
    request->state = work;
    request->release = work_free;
    enum status status;
    if (str_equal(request->content_type, "application/json"))
        status = parse_json(work, err);
    else if (str_equal(request->content_type, "multipart/form-data"))
        status = parse_form(work, err);
    else
        status = parse_raw(work, err);
    work->base.model_id = work->asked.model;
    work->base.count = work->asked.image_count;
    for (int i = 0; i < work->asked.image_count; i++)
        work->base.pixels += picture_pixels(work->asked.images[i].bytes, work->asked.images[i].len);
    return status ? status : classify(&work->base, reply, err);
}
