#include "engine/backend/cuda/cuda_internal.h"

#include <limits.h>
#include <stdlib.h>

const struct kernel cuda_kernels[OP_COUNT] = {
    [OP_GATHER] = {.run = cuda_gather},
    [OP_NORMALIZE] = {.run = cuda_normalize},
    [OP_AUGMENT] = {.run = cuda_augment},
    [OP_CONV] = {.formats = cuda_conv_formats,
                 .prepare = cuda_conv_prepare,
                 .run = cuda_conv,
                 .release = cuda_conv_release},
    [OP_CONV_DX] = {.formats = cuda_conv_formats,
                    .prepare = cuda_conv_prepare,
                    .run = cuda_conv,
                    .release = cuda_conv_release},
    [OP_CONV_DW] = {.formats = cuda_conv_formats,
                    .prepare = cuda_conv_prepare,
                    .workspace = cuda_conv_dw_workspace,
                    .run = cuda_conv_dw,
                    .release = cuda_conv_release},
    [OP_BN_ACT] = {.workspace = cuda_sums_workspace, .run = cuda_bn_act},
    [OP_BN_ACT_BWD] = {.workspace = cuda_bn_act_bwd_workspace, .run = cuda_bn_act_bwd},
    [OP_BN_UPDATE] = {.run = cuda_bn_update, .run_all = cuda_bn_updates},
    [OP_FOLD_BN] = {.run = cuda_fold_bn},
    [OP_BN_SCALE] = {.run = cuda_bn_scale},
    [OP_SCALE_ACT] = {.run = cuda_scale_act},
    [OP_LINEAR] = {.formats = cuda_linear_formats,
                   .prepare = cuda_linear_prepare,
                   .run = cuda_linear,
                   .release = free},
    [OP_LINEAR_DX] = {.formats = cuda_linear_formats,
                      .prepare = cuda_linear_prepare,
                      .run = cuda_linear,
                      .release = free},
    [OP_LINEAR_DW] = {.prepare = cuda_linear_prepare,
                      .workspace = cuda_sums_workspace,
                      .run = cuda_linear_dw,
                      .release = free},
    [OP_GLOBAL_POOL] = {.run = cuda_global_pool},
    [OP_GLOBAL_POOL_BWD] = {.run = cuda_global_pool_bwd},
    [OP_POOL] = {.run = cuda_pool},
    [OP_POOL_BWD] = {.run = cuda_pool_bwd},
    [OP_CONCAT] = {.run = cuda_concat},
    [OP_SPLIT] = {.run = cuda_split},
    [OP_CHANNEL_SHUFFLE] = {.run = cuda_channel_shuffle},
    [OP_ADD] = {.run = cuda_add},
    [OP_EMBED] = {.run = cuda_embed},
    [OP_EMBED_BWD] = {.run = cuda_embed_bwd},
    [OP_FIRST_TOKEN] = {.run = cuda_first_token},
    [OP_FIRST_TOKEN_BWD] = {.run = cuda_first_token_bwd},
    [OP_LAYER_NORM] = {.formats = cuda_layer_norm_formats, .run = cuda_layer_norm},
    [OP_LAYER_NORM_BWD] = {.formats = cuda_layer_norm_formats,
                           .workspace = cuda_layer_norm_bwd_workspace,
                           .run = cuda_layer_norm_bwd},
    [OP_TOKEN_LINEAR] = {.formats = cuda_linear_formats,
                         .prepare = cuda_linear_prepare,
                         .run = cuda_linear,
                         .release = free},
    [OP_TOKEN_LINEAR_DX] = {.formats = cuda_linear_formats,
                            .prepare = cuda_linear_prepare,
                            .run = cuda_linear,
                            .release = free},
    [OP_TOKEN_LINEAR_DW] = {.prepare = cuda_linear_prepare,
                            .workspace = cuda_sums_workspace,
                            .run = cuda_linear_dw,
                            .release = free},
    [OP_GELU] = {.run = cuda_gelu},
    [OP_GELU_BWD] = {.run = cuda_gelu_bwd},
    [OP_ATTENTION] = {.prepare = cuda_attention_prepare, .run = cuda_attention},
    [OP_ATTENTION_BWD] = {.prepare = cuda_attention_prepare,
                          .workspace = cuda_attention_bwd_workspace,
                          .run = cuda_attention_bwd},
    [OP_RESIDUAL] = {.run = cuda_residual},
    [OP_RESIDUAL_BWD] = {.workspace = cuda_sums_workspace, .run = cuda_residual_bwd},
    [OP_FOLD_SCALE] = {.run = cuda_fold_scale},
    [OP_DISTILL_LOSS] = {.formats = cuda_distill_loss_formats,
                         .prepare = cuda_distill_loss_prepare,
                         .run = cuda_distill_loss,
                         .release = free},
    [OP_TALLY] = {.run = cuda_tally},
    [OP_CLIP_NORM] = {.workspace = cuda_clip_norm_workspace, .run = cuda_clip_norm},
    [OP_ADAMW] = {.run = cuda_adamw},
    [OP_SGD] = {.run = cuda_sgd},
    [OP_REORDER] = {.run = cuda_reorder, .run_all = cuda_reorders},
    [OP_HEAD] = {.run = cuda_head},
    [OP_HEAD_BWD] = {.run = cuda_head_bwd},
};

/* What is seen from outside is PLAIN, so an op may only write activations in bf16. */
static enum format format_of(const struct value *value, bool written) {
    bool fixed = written && value->kind != VALUE_ACTIVATION && value->kind != VALUE_DERIVED;
    return value->dtype == DTYPE_BF16 && !fixed ? FORMAT_NATIVE : FORMAT_PLAIN;
}

void cuda_formats(struct kernel_context *context) {
    for (int i = 0; i < OP_MAX_IN; i++)
        if (context->op->in[i] != NO_VALUE)
            context->in[i] = format_of(context_in(context, i), false);
    for (int i = 0; i < OP_MAX_OUT; i++)
        if (context->op->out[i] != NO_VALUE)
            context->out[i] = format_of(context_out(context, i), true);
}

enum status cuda_read_pointwise(enum pointwise *out, struct error *err) {
    static const char *const words[] = {
        [POINTWISE_BEST] = "", [POINTWISE_CUDNN] = "cudnn", [POINTWISE_CUBLASLT] = "cublaslt"};
    const char *word = getenv("DISTILL_CUDA_POINTWISE");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_equal(words[i], word ? word : "")) {
            *out = (enum pointwise)i;
            return STATUS_OK;
        }
    return error_set(err, STATUS_INVALID,
                     "DISTILL_CUDA_POINTWISE is \"%.40s\", not cudnn or cublaslt", word);
}

int cuda_filled(int channels) {
    return (channels + COPY_CHANNELS - 1) / COPY_CHANNELS * COPY_CHANNELS;
}

int cuda_channels(const struct value *value, enum format format) {
    bool filled = format == FORMAT_NATIVE && value->dtype == DTYPE_F32;
    return filled ? cuda_filled(value->shape.c) : value->shape.c;
}

static enum status check_size(const struct kernel_context *context, int value, enum format format,
                              struct error *err) {
    const struct value *of = &context->program->value[value == NO_VALUE ? 0 : value];
    int64_t elements = shape_elements(of->shape) / of->shape.c * cuda_channels(of, format);
    if (value == NO_VALUE || elements <= INT32_MAX)
        return STATUS_OK;
    return error_set(err, STATUS_TOO_LARGE, "%s has %lld elements, the cuda backend counts to %d",
                     of->name, (long long)elements, INT32_MAX);
}

/* A data set may have more elements than gather counts; what is reordered is an operand of another
 * op. */
enum status cuda_check(const struct kernel_context *context, struct error *err) {
    enum status status = STATUS_OK;
    if (context->op->code == OP_GATHER || context->op->code == OP_REORDER)
        return STATUS_OK;
    for (int i = 0; i < OP_MAX_IN && !status; i++)
        status = check_size(context, context->op->in[i], context->in[i], err);
    for (int i = 0; i < OP_MAX_OUT && !status; i++)
        status = check_size(context, context->op->out[i], context->out[i], err);
    return status;
}

enum format cuda_copy_format(const struct value *value, bool filled) {
    return filled || value->shape.c % COPY_CHANNELS == 0 ? FORMAT_NATIVE : FORMAT_ROWS;
}

size_t cuda_native_bytes(const struct device *device, const struct value *value) {
    size_t channels = (size_t)cuda_channels(value, FORMAT_NATIVE);
    (void)device;
    return extent_of(value->shape).pixels * channels * sizeof(uint16_t);
}

struct kernel_context cuda_base(const struct kernel_context *context) {
    struct kernel_context base = {
        .device = context->device, .program = context->program, .op = context->op};
    cuda_formats(&base);
    return base;
}
