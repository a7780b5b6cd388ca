/*
 * ref_internal.h - the kernels of the ref backend; for the files of engine/backend/ref only.
 *
 * Each kernel says in plain loops what ops.def says in words. Sums run in double and in a fixed
 * order, results are rounded to f32 once. A kernel reads an element before it writes the same
 * element of an output, so that outputs may take over inputs where ops.c allows it.
 *
 * Threads: kernels touch their arguments only.
 */
#ifndef ENGINE_BACKEND_REF_REF_INTERNAL_H
#define ENGINE_BACKEND_REF_REF_INTERNAL_H

#include "engine/backend/backend.h"

extern const struct backend backend_ref; /* Also declared by the generated table of backends. */

/* One row of the kernel table each; the names are those of ops.def. */
kernel_run_fn ref_gather, ref_normalize, ref_augment;
kernel_run_fn ref_conv, ref_conv_dx, ref_conv_dw;
kernel_run_fn ref_bn_act, ref_bn_act_bwd, ref_bn_update, ref_fold_bn, ref_bn_scale, ref_scale_act;
kernel_run_fn ref_linear, ref_linear_dx, ref_linear_dw;
kernel_run_fn ref_global_pool, ref_global_pool_bwd, ref_pool, ref_pool_bwd;
kernel_run_fn ref_concat, ref_split, ref_channel_shuffle, ref_add;
kernel_run_fn ref_embed, ref_embed_bwd, ref_first_token, ref_first_token_bwd;
kernel_run_fn ref_layer_norm, ref_layer_norm_bwd, ref_gelu, ref_gelu_bwd;
kernel_run_fn ref_attention, ref_attention_bwd;
kernel_run_fn ref_residual, ref_residual_bwd, ref_fold_scale;
kernel_run_fn ref_distill_loss, ref_tally, ref_clip_norm, ref_sgd, ref_adamw;

/* The workspace of the kernel of the same name, or of several. */
kernel_workspace_fn ref_conv_workspace, ref_conv_dw_workspace, ref_bn_workspace;
kernel_workspace_fn ref_linear_workspace, ref_layer_norm_bwd_workspace, ref_pool_bwd_workspace;
kernel_workspace_fn ref_attention_workspace, ref_attention_bwd_workspace;
kernel_workspace_fn ref_input_sums, ref_output_sums; /* a sum for each channel of the first one */

/* Rows of floats that are added up with a factor each. */
struct ref_rows {
    const float *factor; /* factor j is factor[j * factor_stride] */
    const float *row;    /* row j begins at row[j * row_stride] */
    ptrdiff_t factor_stride, row_stride;
    int count;
};

/* sum[i] += factor[j] * row[j][i] for all rows j and i < n; the loop below conv and linear. */
void ref_accumulate(double *sum, int n, const struct ref_rows *rows);

/* x Phi(x). */
double ref_gelu_of(double x);

/* Rounds n sums to floats. */
void ref_round(float *out, const double *sum, size_t n);

/* What is not a number stays so. */
static inline double ref_activate(enum activation act, double y) {
    if (act == ACT_RELU6 && y > RELU6_TOP)
        return RELU6_TOP;
    return act != ACT_NONE && y < 0 ? 0 : y;
}

/* Whether the activation's gradient at its input or output y is 1; else it is 0. */
static inline bool ref_passes(enum activation act, double y) {
    return act == ACT_NONE || (y > 0 && (act == ACT_RELU || y < RELU6_TOP));
}

#endif
