/*
 * cuda_internal.h - what the host side of the cuda backend shares; for this folder, and for the
 * emulation of its kernels under tests/gpu.
 *
 * Values in bf16 are NATIVE, which is NHWC in bf16; all others are PLAIN. Where a library computes
 * in bf16, it reads or writes copies in bf16 of values in f32. The format of such a copy is NATIVE
 * if its channels are filled up with zeros to a multiple of COPY_CHANNELS, ROWS if not. The files
 * that include this know no header of CUDA: they turn an op into calls of launch.h, dnn.h and
 * blas.h. device.c alone talks to the runtime, dnn*.c to cuDNN, blas.c to cuBLASLt.
 */
#ifndef ENGINE_BACKEND_CUDA_CUDA_INTERNAL_H
#define ENGINE_BACKEND_CUDA_CUDA_INTERNAL_H

#include "engine/backend/backend.h"
#include "engine/backend/cuda/blas.h"
#include "engine/backend/cuda/dnn.h"
#include "engine/backend/cuda/launch_update.h"

/* Who computes 1x1 convolutions: the library that is thought best for each, or always the same one
 * (for measurements). */
enum pointwise { POINTWISE_BEST, POINTWISE_CUDNN, POINTWISE_CUBLASLT };

/* What kernels need of the device; the first member of its state. */
struct cuda {
    struct queue queue;
    const struct step *step; /* on the device: the slot that kernels enqueued now read */
    struct dnn *dnn;         /* NULL: without a library */
    struct blas *blas;       /* the same */
    enum pointwise pointwise;
};

/* What DISTILL_CUDA_POINTWISE says: cudnn, cublaslt, or nothing. INVALID for another word. */
MUST_CHECK enum status cuda_read_pointwise(enum pointwise *out, struct error *err);

static inline const struct cuda *cuda_of(const struct kernel_context *context) {
    return context->device->state;
}

static inline const struct queue *queue_of(const struct kernel_args *args) {
    return &cuda_of(args->context)->queue;
}

/* Operands as launch.h wants them; absent ones have no data. */
static inline struct array array_in(const struct kernel_args *args, int i) {
    return (struct array){args->in[i], args->context->in[i] != FORMAT_PLAIN};
}
static inline struct array array_out(const struct kernel_args *args, int i) {
    return (struct array){args->out[i], args->context->out[i] != FORMAT_PLAIN};
}

/* Pixels and channels of a shape. */
static inline struct extent extent_of(struct shape shape) {
    return (struct extent){(uint32_t)(shape_elements(shape) / shape.c), (uint32_t)shape.c};
}

/* The table of the backend: [OP_COUNT]. */
extern const struct kernel cuda_kernels[];

/* bf16 values are NATIVE; of all kernels without formats of their own. */
kernel_formats_fn cuda_formats;

/* The context with the formats of cuda_formats, without copies in bf16: who computes the op must
 * not depend on them. */
struct kernel_context cuda_base(const struct kernel_context *context);

/* Channels filled up. */
enum { COPY_CHANNELS = 8 };
int cuda_filled(int channels);

/* Channels of a value in memory. */
int cuda_channels(const struct value *value, enum format format);

/* The format of a copy in bf16, with channels filled up or not. */
enum format cuda_copy_format(const struct value *value, bool filled);

/* TOO_LARGE when an operand has more elements than kernels count. */
backend_check_fn cuda_check;

/* The workspace of sums over all pixels or tokens of an input, and of the first one. */
size_t cuda_sums_bytes(const struct kernel_context *context, int in);
kernel_workspace_fn cuda_sums_workspace;

/* The arguments of the loss that come from the op's attributes and the device. shape is that of the
 * logits. */
struct loss_args loss_args_of(const struct kernel_context *context, struct shape shape);

/* global_pool, linear and distill_loss of few classes are head, their way back head_bwd. */
backend_merge_fn cuda_merge;

/* Bytes of a value in the NATIVE format. */
size_t cuda_native_bytes(const struct device *device, const struct value *value);

/* The kernels, named as in ops.def. */
kernel_run_fn cuda_gather, cuda_normalize, cuda_augment, cuda_scale_act, cuda_add, cuda_reorder;
kernel_run_all_fn cuda_reorders;
kernel_run_fn cuda_concat, cuda_split, cuda_channel_shuffle;
kernel_workspace_fn cuda_bn_act_bwd_workspace;
kernel_run_fn cuda_bn_act, cuda_bn_act_bwd, cuda_bn_update, cuda_fold_bn, cuda_bn_scale;
kernel_run_all_fn cuda_bn_updates;
kernel_run_fn cuda_global_pool, cuda_global_pool_bwd, cuda_pool, cuda_pool_bwd;
kernel_formats_fn cuda_conv_formats;
kernel_prepare_fn cuda_conv_prepare;
kernel_workspace_fn cuda_conv_dw_workspace;
kernel_run_fn cuda_conv, cuda_conv_dw; /* conv_dx is cuda_conv, too */
kernel_release_fn cuda_conv_release;
kernel_formats_fn cuda_linear_formats;
kernel_prepare_fn cuda_linear_prepare;
kernel_run_fn cuda_linear, cuda_linear_dw;
kernel_run_fn cuda_embed, cuda_embed_bwd, cuda_first_token, cuda_first_token_bwd;
kernel_formats_fn cuda_layer_norm_formats;
kernel_workspace_fn cuda_layer_norm_bwd_workspace;
kernel_run_fn cuda_layer_norm, cuda_layer_norm_bwd, cuda_gelu, cuda_gelu_bwd;
kernel_run_fn cuda_residual, cuda_residual_bwd, cuda_fold_scale;
kernel_prepare_fn cuda_attention_prepare; /* also of its gradient */
kernel_workspace_fn cuda_attention_bwd_workspace;
kernel_run_fn cuda_attention, cuda_attention_bwd;
kernel_formats_fn cuda_distill_loss_formats;
kernel_prepare_fn cuda_distill_loss_prepare;
kernel_workspace_fn cuda_clip_norm_workspace;
kernel_run_fn cuda_distill_loss, cuda_tally, cuda_clip_norm, cuda_sgd, cuda_adamw;
kernel_run_fn cuda_head, cuda_head_bwd;

#endif
