/* What the Open Inference Protocol says about server and models; POST .../infer is in infer.c. */
#include "service/http/handlers.h"

#include "api/inference.h"
#include "engine/base/mem.h"
#include "service/http/app.h"
#include "service/http/classify.h"
#include "service/store/aliases.h"

#include <stdlib.h>

void handle_v2_server(struct request *request, struct reply *reply) {
    (void)request;
    str_add(reply_json(reply, HTTP_OK),
            "{\"name\":\"distilld\",\"version\":\"" DISTILL_VERSION "\",\"extensions\":"
            "[\"classification\",\"binary_tensor_data\"]}");
}

void handle_v2_live(struct request *request, struct reply *reply) {
    (void)request;
    str_add(reply_json(reply, HTTP_OK), "{\"live\":true}");
}

/* Predictions need no Redis, only their device. */
void handle_v2_ready(struct request *request, struct reply *reply) {
    struct error err;
    if (atomic_load(&request->app->device_lost)) {
        error_set(&err, STATUS_DEVICE_LOST, "the device is lost, the server ends");
        reply_error(reply, &err);
        return;
    }
    str_add(reply_json(reply, HTTP_OK), "{\"ready\":true}");
}

/* ---- a model ---- */

static void add_output(struct str *out, enum inference_output_kind kind, int64_t classes) {
    str_addf(out, "%s{\"name\":\"%s\",\"datatype\":\"FP32\",\"shape\":[-1,%lld]}", kind ? "," : "",
             inference_output_name(kind), (long long)classes);
}

void handle_v2_model(struct request *request, struct reply *reply) {
    struct model model = {0};
    struct error err;
    if (aliases_find_model(&model, request->app->config->data, request->arg, &err)) {
        reply_error(reply, &err);
        return;
    }
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
}

/* ---- loading one ---- */

static void free_work(void *state) {
    classification_release(state);
    free(state);
}

static void answer_ready(const struct classification *work, struct reply *reply) {
    struct str *out = reply_json(reply, HTTP_OK);
    str_add(out, "{\"name\":");
    str_add_json(out, work->model->id);
    str_add(out, ",\"ready\":true}");
}

void handle_v2_model_ready(struct request *request, struct reply *reply) {
    struct classification *work = xcalloc(1, sizeof *work);
    work->chore.request = request;
    work->model_id = request->arg;
    work->answer = answer_ready;
    request->state = work;
    request->release = free_work;
    classify(work, reply);
}
