#include "service/http/handlers.h"

#include "api/ids.h"
#include "service/http/app.h"
#include "service/http/byte_range.h"
#include "service/http/model_onnx.h"
#include "service/http/page.h"
#include "service/store/aliases.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { HTTP_OK = 200, HTTP_PARTIAL = 206, HTTP_NOT_MODIFIED = 304, HTTP_BAD_RANGE = 416 };

void handle_model_list(struct request *request, struct reply *reply) {
    struct page page;
    struct model_list models = {0};
    struct error err;
    enum status status = page_parse(&page, request, ID_PREFIX_MODEL, "", &err);
    if (!status)
        status =
            models_list(&models, request->app->config->data, page.after, (int)page.limit, &err);
    if (status) {
        request_fail(request, reply, &err, NULL);
        return;
    }
    struct str *out = reply_json(reply, HTTP_OK);
    page_begin(out);
    for (int i = 0; i < models.count; i++) {
        page_separate(out, i);
        model_card_add_json(&models.item[i].card, out);
    }
    page_end(out, models.next);
    model_list_release(&models);
}

/* The model that the path names, by id or alias; the query may have the parameters that are named.
 */
static enum status find(struct request *request, const char *names, struct model *model,
                        struct error *err) {
    *model = (struct model){0};
    enum status status = request_check_query(request, names, err);
    return status ? status
                  : aliases_find_model(model, request->app->config->data, request->arg, err);
}

void handle_model_show(struct request *request, struct reply *reply) {
    struct model model;
    struct error err;
    if (find(request, "", &model, &err))
        request_fail(request, reply, &err, NULL);
    else
        model_card_add_json(&model.card, reply_json(reply, HTTP_OK));
    model_release(&model);
}

/* ---- weights ---- */

/* The entity tag is among those of an If-None-Match header. */
static bool knows_tag(const char *header, const char *tag) {
    return header && (str_equal(header, "*") || strstr(header, tag));
}

/* Chooses between all, a part, and nothing, and fills the reply accordingly. */
static void choose_part(const struct request *request, struct reply *reply, const char *tag) {
    const char *if_range = request_header(request, "If-Range");
    const char *header = request_header(request, "Range");
    struct byte_range range;
    enum byte_range_kind kind = BYTE_RANGE_NONE;
    uint64_t size = reply->file_bytes;
    if (header && (!if_range || str_equal(if_range, tag)))
        kind = byte_range_parse(header, size, &range);
    if (kind == BYTE_RANGE_UNSATISFIABLE) {
        reply_release(reply);
        reply->code = HTTP_BAD_RANGE;
        reply_header(reply, "Content-Range", "bytes */%llu", (unsigned long long)size);
    } else if (kind == BYTE_RANGE_PART) {
        reply->code = HTTP_PARTIAL;
        reply->file_offset = range.first;
        reply->file_bytes = range.last - range.first + 1;
        reply_header(reply, "Content-Range", "bytes %llu-%llu/%llu",
                     (unsigned long long)range.first, (unsigned long long)range.last,
                     (unsigned long long)size);
    }
}

static enum status open_weights(const struct model *model, struct reply *reply, struct error *err) {
    int64_t bytes = file_size(model->weights);
    reply->file = open(model->weights, O_RDONLY | O_CLOEXEC);
    if (reply->file < 0 || bytes < 0)
        return error_set_errno(err, errno, "weights of %s", model->card.id);
    reply->file_bytes = (uint64_t)bytes;
    return STATUS_OK;
}

static void reply_weights(const struct request *request, struct reply *reply,
                          const struct model *model) {
    char tag[CARD_SHA256_BYTES + 2];
    snprintf(tag, sizeof tag, "\"%s\"", model->card.weights_sha256);
    reply_body(reply, HTTP_OK, "application/octet-stream");
    if (knows_tag(request_header(request, "If-None-Match"), tag)) {
        reply_release(reply);
        reply->code = HTTP_NOT_MODIFIED;
    } else {
        choose_part(request, reply, tag);
    }
    reply_header(reply, "ETag", "%s", tag);
    reply_header(reply, "Accept-Ranges", "bytes");
    reply_header(reply, "Content-Disposition", "attachment; filename=\"%s.safetensors\"",
                 model->card.id);
}

/* What is asked for: ONNX, and with normalisation inside? */
struct weights_form {
    bool onnx, normalize;
};

static enum status read_form(struct request *request, struct weights_form *form,
                             struct error *err) {
    const char *format = request_query(request, "format");
    *form = (struct weights_form){.onnx = str_equal(format, "onnx")};
    if (format && !form->onnx && !str_equal(format, "safetensors"))
        return request_refuse(request, "format", format, "safetensors or onnx", err);
    if (!form->onnx && request_query(request, "normalize"))
        return request_refuse(request, "normalize", request_query(request, "normalize"),
                              "used with format=onnx", err);
    return request_query_bool(request, "normalize", &form->normalize, err);
}

void handle_model_weights(struct request *request, struct reply *reply) {
    struct weights_form form = {false, false};
    struct model model;
    struct error err;
    enum status status = find(request, "format normalize", &model, &err);
    if (!status)
        status = read_form(request, &form, &err);
    if (!status && !form.onnx)
        status = open_weights(&model, reply, &err);
    if (status)
        request_fail(request, reply, &err, NULL);
    else if (form.onnx)
        reply_model_onnx(request, &model, form.normalize);
    else
        reply_weights(request, reply, &model);
    model_release(&model);
}
