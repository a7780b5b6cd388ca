/*
 * winograd.h - 3x3 convolutions by Winograd's F(4x4, 3x3) in f32, also of tensors in bf16; for the
 * files of this folder only.
 *
 * A tile of 4x4 outputs takes a quarter of the multiplications that a direct convolution needs,
 * with stride 2 (forward, f32) 9/16 of them.
 *
 * Ownership: winograd_create ... winograd_free.
 * Threads:   one at a time.
 */
#ifndef ENGINE_BACKEND_CPU_WINOGRAD_H
#define ENGINE_BACKEND_CPU_WINOGRAD_H

#include "engine/backend/cpu/cpu_internal.h"

struct winograd;

/* Is this a convolution for it, and is it faster than a direct one? */
bool winograd_fits(const struct kernel_context *context, const struct dnn_problem *problem);

/* For the op of a context: conv, conv_dx or conv_dw. */
MUST_CHECK enum status winograd_create(struct winograd **out, const struct kernel_context *context,
                                       const struct dnn_problem *problem, struct error *err);
void winograd_free(struct winograd *it); /* NULL is allowed. */

size_t winograd_workspace_bytes(const struct winograd *it); /* What a run needs. */

/* Takes over constant weights. */
void winograd_refresh(struct winograd *it, struct device *device, const float *weight);

/* What the op says; all tensors but weights are NATIVE. */
void winograd_run(struct winograd *it, const struct kernel_args *args);

#endif
