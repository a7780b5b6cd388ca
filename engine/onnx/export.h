/*
 * export.h - a model as an ONNX file: the program of its inference, op by op, with batch norms
 * folded. An architecture needs nothing of its own here.
 *
 * Input `input`: floats [batch,channels,height,width], the batch free. Output `logits`: floats
 * [batch,classes]. The metadata says architecture, classes, mean and deviation.
 *
 * Errors: UNSUPPORTED for an op that has no form in ONNX, file errors as in base/file.h.
 */
#ifndef ENGINE_ONNX_EXPORT_H
#define ENGINE_ONNX_EXPORT_H

#include "engine/model/network.h"

/* Writes the file atomically. With normalize the input is pictures in 0..1 and the network
 * normalises them, otherwise the input is normalised already. */
MUST_CHECK enum status onnx_export(const struct loaded_model *model, bool normalize,
                                   const char *path, struct error *err);

#endif
