/*
 * inference.h - POST /v2/models/{id}/infer: a request of the Open Inference Protocol, read
 * strictly.
 *
 * The body is a JSON object, behind which the input's bytes may stand (Triton's binary tensor data
 * extension). There is one input, `images`: pixels (UINT8, [n,h,w,c]) or encoded pictures (BYTES,
 * [n]; in JSON as base64). Parameters that mean nothing here are ignored, as the protocol allows;
 * all other members must be known.
 *
 * Ownership: the request's arena holds texts and what was JSON; binary data stay in the body, which
 *            must outlive the request.
 * Errors:    INVALID without a field, TOO_LARGE for more pictures or numbers than are taken.
 * Threads:   pure functions.
 */
#ifndef API_INFERENCE_H
#define API_INFERENCE_H

#include "api/limits.h"
#include "engine/base/mem.h"

#define INFERENCE_INPUT "images"

enum {
    INFERENCE_MAX_PIXELS = LIMIT_V2_PICTURES, /* pictures of a request that are pixels */
    INFERENCE_MAX_ENCODED = LIMIT_V2_ENCODED, /* those that must be decoded */
    INFERENCE_RANK = 4
};

enum inference_output_kind { INFERENCE_LOGITS, INFERENCE_PROBABILITIES, INFERENCE_OUTPUTS };

/* One of the outputs that are asked for. */
struct inference_output {
    enum inference_output_kind kind;
    bool is_binary;
    int64_t best; /* "classification": the best so many classes as text; 0: all as numbers */
};

struct inference_bytes {
    const uint8_t *bytes;
    size_t len;
};

struct inference_request {
    struct arena arena;
    const char *id; /* what the client calls the request, or NULL */
    int rank;       /* INFERENCE_RANK for pixels, 1 for encoded pictures */
    int64_t shape[INFERENCE_RANK];
    struct inference_bytes pixels;   /* [n,h,w,c] */
    struct inference_bytes *encoded; /* [n], or NULL: pixels */
    int output_count;                /* each output at most once */
    struct inference_output output[INFERENCE_OUTPUTS];
};

/* The protocol's name of an output. */
const char *inference_output_name(enum inference_output_kind kind);

/* Reads a body whose first json_len bytes are the JSON object. */
MUST_CHECK enum status inference_request_decode(struct inference_request *request, const char *body,
                                                size_t len, size_t json_len, struct error *err);

void inference_request_release(struct inference_request *request); /* Zeroed or decoded. */

#endif
