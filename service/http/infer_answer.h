/*
 * infer_answer.h - the outputs of POST /v2/models/{id}/infer: JSON, and bytes behind it.
 *
 * Ownership: appends to the caller's text.
 * Errors:    TOO_LARGE when the answer does not fit a text.
 * Threads:   pure functions.
 */
#ifndef SERVICE_HTTP_INFER_ANSWER_H
#define SERVICE_HTTP_INFER_ANSWER_H

#include "api/inference.h"
#include "engine/base/str.h"
#include "engine/model/network.h"

/* What a model says of some pictures. */
struct inference_answer {
    const char *model_id;
    const struct model_info *info;
    int count;           /* pictures */
    const float *logits; /* [count,classes] */
};

/* Appends the outputs that were asked for; *json_len is how much of it is JSON. */
MUST_CHECK enum status inference_answer_add(const struct inference_request *asked,
                                            const struct inference_answer *answer, struct str *out,
                                            size_t *json_len, struct error *err);

#endif
