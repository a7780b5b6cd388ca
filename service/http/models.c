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
    enum status status = page_parse(&page, request, ID_PREFIX_MODEL, "", err);
    if (!status)
        status = models_list(&models, request->app->config->data, page.after, (int)page.limit, err);
    if (status)
        return status;
    struct str *out = reply_json(reply, HTTP_OK);
    page_begin(out);
    for (int i = 0; i < models.count; i++) {
        page_separate(out, i);
        model_card_add_json(&models.item[i].card, out);
    }
    page_end(out, models.next);
    model_list_release(&models);
    return STATUS_OK;
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

enum status handle_model_show(struct request *request, struct reply *reply, struct error *err) {
    struct model model;
    enum status status = find(request, "", &model, err);
    if (!status)
        model_card_add_json(&model.card, reply_json(reply, HTTP_OK));
    model_release(&model);
    return status;
}

/* ---- weights ---- */

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

enum status handle_model_weights(struct request *request, struct reply *reply, struct error *err) {
    struct weights_form form = {false, false};
    struct model model;
    enum status status = find(request, "format normalize", &model, err);
    if (!status)
        status = read_form(request, &form, err);
    const struct file_answer file = {model.weights, "application/octet-stream",
                                     model.card.weights_sha256, model.card.id, "safetensors"};
    if (!status && !form.onnx)
        status = reply_file(request, reply, &file, err);
    else if (!status)
        reply_model_onnx(request, &model, form.normalize);
    model_release(&model);
    return status;
}
