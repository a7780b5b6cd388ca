/* inference_request_decode: any JSON before any bytes (two bytes first say how much is JSON); what
 * it accepts lies within the body or the request's own memory, and has the size its shape says. */
#include "tests/fuzz/fuzz.h"

#include "api/inference.h"

#include <stdlib.h>
#include <string.h>

static void check_shape(const struct inference_request *request) {
    size_t count = 1;
    CHECK(request->rank == (request->encoded ? 1 : INFERENCE_RANK));
    for (int i = 0; i < request->rank; i++)
        CHECK(request->shape[i] > 0 && mem_mul(count, (size_t)request->shape[i], &count));
    if (request->encoded)
        CHECK(count <= INFERENCE_MAX_ENCODED);
    else
        CHECK(count == request->pixels.len);
}

static volatile uint8_t seen;

/* A sanitizer sees when the bytes are not there. */
static void look_at(struct inference_bytes data) {
    for (size_t i = 0; i < data.len; i++)
        seen = data.bytes[i];
}

static void check_outputs(const struct inference_request *request) {
    bool seen_kind[INFERENCE_OUTPUTS] = {false};
    CHECK(request->output_count >= 1 && request->output_count <= INFERENCE_OUTPUTS);
    for (int i = 0; i < request->output_count; i++) {
        const struct inference_output *output = &request->output[i];
        CHECK(output->kind < INFERENCE_OUTPUTS && output->best >= 0 && !seen_kind[output->kind]);
        seen_kind[output->kind] = true;
    }
}

static void check(const struct inference_request *request) {
    check_shape(request);
    look_at(request->pixels);
    for (int64_t i = 0; request->encoded && i < request->shape[0]; i++)
        look_at(request->encoded[i]);
    check_outputs(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct inference_request request;
    struct error err = {0};
    if (len < 2)
        return 0;
    size_t json_len = (size_t)bytes[0] | (size_t)bytes[1] << 8, body_len = len - 2;
    char *body = xmalloc(body_len ? body_len : 1); /* exactly so many, on their own */
    memcpy(body, bytes + 2, body_len);
    if (inference_request_decode(&request, body, body_len, json_len, &err) == STATUS_OK)
        check(&request);
    else
        CHECK(err.message[0] && !err.field[0]);
    inference_request_release(&request);
    free(body);
    return 0;
}
