/*
 * model_onnx.h - a model's weights as an ONNX file: GET /models/{id}/weights?format=onnx.
 *
 * The file is made for the request and has no name while it is sent.
 *
 * Threads: as a handler.
 */
#ifndef SERVICE_HTTP_MODEL_ONNX_H
#define SERVICE_HTTP_MODEL_ONNX_H

#include "service/http/request.h"
#include "service/store/models.h"

/* Answers with the model as ONNX; normalize as in engine/onnx/export.h. Suspends the request. */
void reply_model_onnx(struct request *request, const struct model *model, bool normalize);

#endif
