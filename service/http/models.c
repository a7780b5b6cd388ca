#include "service/http/handlers.h"

#include "api/ids.h"
#include "service/http/app.h"
#include "service/http/file_reply.h"
#include "service/http/model_onnx.h"
#include "service/http/page.h"
#include "service/store/aliases.h"

enum status handle_model_list(struct request *request, struct reply *reply, struct error *err) {
    struct page page;
    struct model_list models = {0};
    enum status status = page_parse(&page, request, ID_PREFIX_MODEL, err);
    if (!status)
        status = models_list(&models, request->app->config->data, page.after, page.limit, err);
    if (status)
        return status;
    struct str *out = page_begin(reply);
    for (int i = 0; i < models.count; i++)
        model_card_add_json(&models.item[i].card, str_json_item(out));
    page_end(out, models.next);
    model_list_release(&models);
    return STATUS_OK;
}

enum status handle_model_show(struct request *request, struct reply *reply, struct error *err) {
    struct model model;
    enum status status = aliases_find_model(&model, request->app->config->data, request->arg, err);
    if (!status)
        model_card_add_json(&model.card, reply_json(reply, HTTP_OK));
    model_release(&model);
    return status;
}

/* ---- weights ---- */

static enum status check_form(struct request *request, bool onnx, struct error *err) {
    const char *normalize = request_query(request, "normalize");
    if (onnx || !normalize)
        return STATUS_OK;
    return request_refuse(request, "normalize", normalize, "used with format=onnx", err);
}

enum status handle_model_weights(struct request *request, struct reply *reply, struct error *err) {
    bool onnx = request_query_value(request, "format");
    struct model model;
    enum status status = aliases_find_model(&model, request->app->config->data, request->arg, err);
    if (!status)
        status = check_form(request, onnx, err);
    const struct file_answer file = {model.weights, "application/octet-stream",
                                     model.card.weights_sha256, model.card.id, "safetensors"};
    if (!status && !onnx)
        status = reply_file(request, reply, &file, err);
    else if (!status)
        reply_model_onnx(request, &model, request_query_value(request, "normalize"));
    model_release(&model);
    return status;
}
