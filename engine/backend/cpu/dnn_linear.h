/*
 * dnn_linear.h - matrix products of oneDNN with a layer's weights.
 *
 * y [rows, outputs] = x [rows, inputs] weight^T + bias, and its gradients. x and y lie row by row
 * in one type; weights and their gradients lie [outputs, inputs] in f32. Weights that are read are
 * reordered to what the primitive wants.
 *
 * Ownership, errors, threads: as for the convolutions of dnn.h.
 */
#ifndef ENGINE_BACKEND_CPU_DNN_LINEAR_H
#define ENGINE_BACKEND_CPU_DNN_LINEAR_H

#include "engine/backend/cpu/dnn.h"

struct dnn_linear;

struct dnn_linear_problem {
    enum dnn_direction direction;
    int rows, inputs, outputs;
    enum dtype dtype;     /* of x and y: DTYPE_F32 or DTYPE_BF16 */
    bool gelu, residual;  /* forward only; the residual is what y holds before */
    bool constant_weight; /* forward only: dnn_linear_refresh says when it changes */
};

/* Chooses the fastest primitive for the problem and prepares it. */
MUST_CHECK enum status dnn_linear_create(struct dnn_linear **out, struct dnn *dnn,
                                         const struct dnn_linear_problem *problem,
                                         struct error *err);
void dnn_linear_free(struct dnn_linear *linear); /* NULL is allowed. */

size_t dnn_linear_workspace_bytes(const struct dnn_linear *linear); /* What a run needs. */

/* Takes over constant weights. */
void dnn_linear_refresh(struct dnn_linear *linear, struct device *device, const float *weight);

/* As dnn_conv_run; the bias is read by the forward direction alone, and written by none. */
void dnn_linear_run(struct dnn_linear *linear, const struct dnn_pointers *pointers);

#endif
