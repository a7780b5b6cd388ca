/*
 * tensors.h - reads named tensors of a safetensors file with the checks that users need.
 *
 * Ownership: results are the caller's to free() or mem_free_large() as said.
 * Errors:    INVALID with the tensor's name, the shape found and the one expected.
 */
#ifndef ENGINE_CLI_TENSORS_H
#define ENGINE_CLI_TENSORS_H

#include "engine/base/safetensors.h"
#include "engine/model/network.h"

/* The tensor of that name if it has this rank and no dimension is 0 or over INT_MAX. */
MUST_CHECK enum status tensors_find(const struct safetensors *file, const char *name, int rank,
                                    const struct tensor **out, struct error *err);

/* Its elements as floats, all finite; mem_free_large. */
MUST_CHECK enum status tensors_floats(const struct tensor *tensor, float **out, struct error *err);

/* Labels (I64 or I32), each in 0..classes-1; mem_free_large. */
MUST_CHECK enum status tensors_labels(const struct tensor *tensor, int classes, int32_t **out,
                                      struct error *err);

/* Loads the model that x [n,h,w,c] is for. With an architecture (else ""), path holds weights of
 * another program, which say nothing of themselves: sizes are those of x. */
MUST_CHECK enum status tensors_model(struct loaded_model *model, const char *path,
                                     const char *architecture, const struct tensor *x,
                                     struct error *err);

/* An f32 tensor of these dimensions (0 ends them) for safetensors_write; borrows name and data. */
struct tensor tensors_of_f32(const char *name, const float *data, int64_t rows, int64_t columns);

#endif
