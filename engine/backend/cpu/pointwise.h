/*
 * pointwise.h - convolutions in groups with a 1x1 window, whose groups fill no whole blocks of
 * channels; for the files of this folder only.
 *
 * oneDNN moves such tensors into narrower blocks, computes and moves the result back. Here a block
 * of output channels takes all input channels of its groups, with zeros for weights between groups
 * that share a block.
 *
 * Ownership: pointwise_create ... pointwise_free.
 * Threads:   one at a time.
 */
#ifndef ENGINE_BACKEND_CPU_POINTWISE_H
#define ENGINE_BACKEND_CPU_POINTWISE_H

#include "engine/backend/cpu/cpu_internal.h"

struct pointwise;

/* Is this the convolution for it? */
bool pointwise_fits(const struct conv_attr *attr, struct shape weight, int lanes);

/* For the op of a context: conv, conv_dx or conv_dw, with weight of the shape [k,1,1,c]. */
struct pointwise *pointwise_create(const struct kernel_context *context,
                                   enum dnn_direction direction, struct shape weight);
void pointwise_free(struct pointwise *it); /* NULL is allowed. */

size_t pointwise_workspace_bytes(const struct pointwise *it); /* What a run needs. */

/* Takes over constant weights. */
void pointwise_refresh(struct pointwise *it, const float *weight);

/* What the op says; all tensors but weights are NATIVE. */
void pointwise_run(struct pointwise *it, const struct kernel_args *args);

#endif
