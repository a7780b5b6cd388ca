/*
 * cpu_internal.h - what the kernels of the cpu backend share; for the files of this folder only.
 *
 * NATIVE is blocked: [n][channels / lanes][h w][lanes] in f32 or bf16, as the value says, with 16
 * lanes where AVX-512 is there and 8 elsewhere, padded with zeros. That is what the convolutions
 * of oneDNN are fastest with.
 */
#ifndef ENGINE_BACKEND_CPU_CPU_INTERNAL_H
#define ENGINE_BACKEND_CPU_CPU_INTERNAL_H

#include "engine/backend/backend.h"
#include "engine/backend/cpu/dnn.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/vec/vec.h"

/* The device's state. */
struct cpu {
    struct dnn *dnn;
    const struct vec_kernels *vec;
    bool bf16; /* the processor has instructions for it */
};

static inline const struct cpu *cpu_of(const struct kernel_context *context) {
    return context->device->state;
}

/* How a NATIVE value lies in memory. */
struct blocked {
    int n, blocks, lanes, channels;
    size_t plane; /* numbers of one block of one picture */
    bool bf16;
};
struct blocked blocked_of(const struct kernel_context *context, const struct value *value);

/* Where the plane of a picture and a block begins, in numbers. */
static inline size_t blocked_at(const struct blocked *blocked, int n, int block) {
    return ((size_t)n * (size_t)blocked->blocks + (size_t)block) * blocked->plane;
}

/* Numbers of a NATIVE value, padding included. */
static inline size_t blocked_count(const struct blocked *blocked) {
    return blocked_at(blocked, blocked->n, 0);
}

/* Channels of a NATIVE value, padding included. */
static inline size_t blocked_channels(const struct blocked *blocked) {
    return (size_t)blocked->blocks * (size_t)blocked->lanes;
}

/* Channels of a block that are not padding. */
static inline int blocked_width(const struct blocked *blocked, int block) {
    int rest = blocked->channels - block * blocked->lanes;
    return rest < blocked->lanes ? rest : blocked->lanes;
}

/* What conv or token_linear, or one of their gradients, has where: an input, or CPU_OUT for its
 * first output. */
enum { CPU_OUT = OP_MAX_IN };
struct cpu_role {
    enum dnn_direction direction;
    int x, weight, y;
};
const struct cpu_role *cpu_role_of(const struct kernel_context *context); /* By the opcode. */

/* The operand at a place of a role. */
static inline const struct value *cpu_operand(const struct kernel_context *context, int i) {
    return i == CPU_OUT ? context_out(context, 0) : context_in(context, i);
}

/* The operands as oneDNN's primitive of the op wants them. */
struct dnn_pointers cpu_dnn_pointers(const struct kernel_args *args);

/* The kernels, named as in ops.def. */
kernel_formats_fn cpu_conv_formats, cpu_conv_dw_formats;
kernel_prepare_fn cpu_conv_prepare; /* also of the gradients, as cpu_conv is of conv_dx */
kernel_run_fn cpu_conv, cpu_conv_dw, cpu_conv_refresh;
kernel_release_fn cpu_conv_release;

kernel_workspace_fn cpu_bn_workspace;
kernel_run_fn cpu_bn_act, cpu_bn_act_bwd;

kernel_run_fn cpu_global_pool, cpu_global_pool_bwd, cpu_add, cpu_reorder;

kernel_workspace_fn cpu_pool_bwd_workspace, cpu_scale_act_workspace, cpu_channels_workspace;
kernel_run_fn cpu_pool, cpu_pool_bwd, cpu_scale_act;
kernel_run_fn cpu_channels; /* concat, split, channel_shuffle */
backend_merge_fn cpu_merge;

/* Tokens lie row by row: PLAIN, or ROWS where the value is bf16. */
static inline enum format token_format(const struct value *value) {
    return value->dtype == DTYPE_BF16 ? FORMAT_ROWS : FORMAT_PLAIN;
}

/* All inputs and outputs are tokens, or vectors of f32. */
kernel_formats_fn cpu_token_formats;

kernel_formats_fn cpu_embed_formats, cpu_embed_bwd_formats;
kernel_run_fn cpu_embed, cpu_embed_bwd, cpu_first_token, cpu_first_token_bwd;
kernel_workspace_fn cpu_layer_norm_bwd_workspace, cpu_residual_workspace;
kernel_run_fn cpu_layer_norm, cpu_layer_norm_bwd, cpu_gelu, cpu_gelu_bwd;
kernel_run_fn cpu_residual, cpu_residual_bwd;
kernel_workspace_fn cpu_attention_workspace, cpu_attention_bwd_workspace;
kernel_run_fn cpu_attention, cpu_attention_bwd;
kernel_prepare_fn cpu_token_linear_prepare; /* as with conv */
kernel_run_fn cpu_token_linear, cpu_token_linear_dw, cpu_token_linear_refresh;
kernel_release_fn cpu_token_linear_release;

/* sums[i] = sum of channel i of the op's first input, and the workspace that it takes. */
kernel_workspace_fn cpu_token_sums_workspace;
void cpu_token_sums(const struct kernel_args *args, float *sums);

/* Copies an input to the first output. */
void cpu_copy_tokens(const struct kernel_args *args, int in);

/* Between PLAIN and ROWS. */
void cpu_convert_rows(const struct kernel_args *args);

/* The gradient of a conv's bias: the sums of dy, the op's first input, by channel. */
void cpu_sum_channels(const struct kernel_args *args, float *dbias);

kernel_prepare_fn cpu_normalize_prepare;
kernel_workspace_fn cpu_distill_loss_workspace, cpu_clip_norm_workspace;
kernel_run_fn cpu_normalize, cpu_distill_loss, cpu_clip_norm, cpu_sgd, cpu_adamw;
kernel_run_fn cpu_linear, cpu_linear_dx, cpu_linear_dw;

#endif
