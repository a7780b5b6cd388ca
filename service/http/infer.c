/* POST /v2/models/{id}/infer. */
#include "service/http/handlers.h"

#include "api/inference.h"
#include "engine/base/mem.h"
#include "service/http/classify.h"
#include "service/http/infer_answer.h"

#include <stdlib.h>
#include <string.h>

#define JSON_LENGTH_HEADER "Inference-Header-Content-Length"

/* One request on its way. */
struct work {
    struct classification base; /* first */
    struct inference_request asked;
};

static void work_free(void *state) {
    struct work *work = state;
    inference_request_release(&work->asked);
    classification_release(&work->base);
    free(work);
}

/* ---- pictures ---- */

static enum status check_shape(const struct classification *base, struct error *err) {
    const struct inference_request *asked = &((const struct work *)base)->asked;
    const struct model_info *info = base->model->info;
    if (asked->encoded || (asked->shape[1] == info->height && asked->shape[2] == info->width &&
                           asked->shape[3] == info->channels))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "shape of input %s is [%lld,%lld,%lld,%lld], the model takes [n,%d,%d,%d]",
                     INFERENCE_INPUT, (long long)asked->shape[0], (long long)asked->shape[1],
                     (long long)asked->shape[2], (long long)asked->shape[3], info->height,
                     info->width, info->channels);
}

static enum status take_picture(const struct classification *base, int i, uint8_t *out,
                                struct error *err) {
    const struct inference_request *asked = &((const struct work *)base)->asked;
    const struct input input = model_input(base->model->info);
    if (asked->encoded) {
        const struct inference_bytes *file = &asked->encoded[i];
        enum status status = input_decode(&input, file->bytes, file->len, out, err);
        return error_wrap(err, status, "element %d of input %s", i, INFERENCE_INPUT);
    }
    size_t bytes = input_bytes(&input);
    memcpy(out, asked->pixels.bytes + (size_t)i * bytes, bytes);
    return STATUS_OK;
}

/* ---- the answer ---- */

static enum status answer(const struct classification *base, struct reply *reply,
                          struct error *err) {
    const struct inference_request *asked = &((const struct work *)base)->asked;
    const struct inference_answer given = {.model_id = base->model->id,
                                           .info = base->model->info,
                                           .count = base->count,
                                           .logits = base->logits};
    struct str *out = reply_json(reply, HTTP_OK);
    size_t json_len;
    enum status status = inference_answer_add(asked, &given, out, &json_len, err);
    if (status || json_len == out->len)
        return status;
    reply->content_type = "application/octet-stream";
    reply_header(reply, JSON_LENGTH_HEADER, "%zu", json_len);
    return STATUS_OK;
}

/* ---- the request ---- */

/* How much of the body is JSON: all of it when nobody says. */
static enum status find_json_len(const struct request *request, size_t *len, struct error *err) {
    const char *text = request_header(request, JSON_LENGTH_HEADER);
    uint64_t number = request->body_len;
    if (text && (!str_parse_u64(text, &number) || number == 0 || number > SIZE_MAX))
        return error_set(err, STATUS_INVALID,
                         JSON_LENGTH_HEADER " must be the length of the JSON before the bytes, "
                                            "not \"%.40s\"",
                         text);
    *len = (size_t)number;
    return STATUS_OK;
}

static enum status decode(struct work *work, struct error *err) {
    struct request *request = work->base.chore.request;
    size_t json_len = 0;
    enum status status = find_json_len(request, &json_len, err);
    return status ? status
                  : inference_request_decode(&work->asked, request->body, request->body_len,
                                             json_len, err);
}

enum status handle_v2_infer(struct request *request, struct reply *reply, struct error *err) {
    struct work *work = xcalloc(1, sizeof *work);
    work->base = (struct classification){.chore.request = request,
                                         .model_id = request->arg,
                                         .check = check_shape,
                                         .take = take_picture,
                                         .answer = answer};
    request->state = work;
    request->release = work_free;
    enum status status = decode(work, err);
    work->base.count = (int)work->asked.shape[0];
    for (int i = 0; work->asked.encoded && i < work->base.count; i++)
        work->base.pixels +=
            picture_pixels(work->asked.encoded[i].bytes, work->asked.encoded[i].len);
    return status ? status : classify(&work->base, reply, err);
}
