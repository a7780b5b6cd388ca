/* What the Open Inference Protocol says about server and models; POST .../infer is in infer.c. */
#include "service/http/handlers.h"

#include "api/inference.h"
#include "engine/base/mem.h"
#include "service/http/app.h"
#include "service/http/classify.h"
#include "service/store/aliases.h"

#include <stdlib.h>

enum status handle_v2_server(struct request *request, struct reply *reply, struct error *err) {
    (void)request, (void)err;
    str_add(reply_json(reply, HTTP_OK),
            "{\"name\":\"distilld\",\"version\":\"" DISTILL_VERSION "\",\"extensions\":"
            "[\"classification\",\"binary_tensor_data\"]}");
    return STATUS_OK;
}

enum status handle_v2_live(struct request *request, struct reply *reply, struct error *err) {
    (void)request, (void)err;
    str_add(reply_json(reply, HTTP_OK), "{\"live\":true}");
    return STATUS_OK;
}

/* Predictions need no Redis, only their device. */
enum status handle_v2_ready(struct request *request, struct reply *reply, struct error *err) {
    if (atomic_load(&request->app->device_lost))
        return error_set(err, STATUS_DEVICE_LOST, "the device is lost, the server ends");
    str_add(reply_json(reply, HTTP_OK), "{\"ready\":true}");
    return STATUS_OK;
}

/* ---- a model ---- */

static void add_output(struct str *out, enum inference_output_kind kind, int64_t classes) {
    str_addf(str_json_item(out), "{\"name\":\"%s\",\"datatype\":\"FP32\",\"shape\":[-1,%lld]}",
             inference_output_name(kind), (long long)classes);
}

enum status handle_v2_model(struct request *request, struct reply *reply, struct error *err) {
    struct model model = {0};
    enum status status = aliases_find_model(&model, request->app->config->data, request->arg, err);
    if (status)
        return status;
    const struct model_card *card = &model.card;
    struct str *out = reply_json(reply, HTTP_OK);
    str_add(out, "{\"name\":");
    str_add_json(out, card->id);
    str_addf(out,
             ",\"platform\":\"distilld\",\"inputs\":[{\"name\":\"" INFERENCE_INPUT
             "\",\"datatype\":\"UINT8\",\"shape\":[-1,%lld,%lld,%lld]}],\"outputs\":[",
             (long long)card->height, (long long)card->width, (long long)card->channels);
    for (int kind = 0; kind < INFERENCE_OUTPUTS; kind++)
        add_output(out, (enum inference_output_kind)kind, card->classes);
    str_add(out, "]}");
    model_release(&model);
    return STATUS_OK;
}

/* ---- loading one ---- */

static void free_work(void *state) {
    classification_release(state);
    free(state);
}

static enum status answer_ready(const struct classification *work, struct reply *reply,
                                struct error *err) {
    (void)err;
    struct str *out = reply_json(reply, HTTP_OK);
    str_add(out, "{\"name\":");
    str_add_json(out, work->model->id);
    str_add(out, ",\"ready\":true}");
    return STATUS_OK;
}

enum status handle_v2_model_ready(struct request *request, struct reply *reply, struct error *err) {
    struct classification *work = xcalloc(1, sizeof *work);
    work->chore.request = request;
    work->model_id = request->arg;
    work->answer = answer_ready;
    request->state = work;
    request->release = free_work;
    return classify(work, reply, err);
}
