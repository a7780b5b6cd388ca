#include "engine/backend/ref/ref_internal.h"

#include <stdio.h>

static const struct kernel ref_kernels[OP_COUNT] = {
    [OP_GATHER] = {.run = ref_gather},
    [OP_NORMALIZE] = {.run = ref_normalize},
    [OP_AUGMENT] = {.run = ref_augment},
    [OP_CONV] = {.workspace = ref_conv_workspace, .run = ref_conv},
    [OP_CONV_DX] = {.workspace = ref_output_sums, .run = ref_conv_dx},
    [OP_CONV_DW] = {.workspace = ref_conv_dw_workspace, .run = ref_conv_dw},
    [OP_BN_ACT] = {.workspace = ref_bn_workspace, .run = ref_bn_act},
    [OP_BN_ACT_BWD] = {.workspace = ref_bn_workspace, .run = ref_bn_act_bwd},
    [OP_BN_UPDATE] = {.run = ref_bn_update},
    [OP_FOLD_BN] = {.run = ref_fold_bn},
    [OP_BN_SCALE] = {.run = ref_bn_scale},
    [OP_SCALE_ACT] = {.run = ref_scale_act},
    [OP_LINEAR] = {.workspace = ref_linear_workspace, .run = ref_linear},
    [OP_LINEAR_DX] = {.workspace = ref_output_sums, .run = ref_linear_dx},
    [OP_LINEAR_DW] = {.workspace = ref_output_sums, .run = ref_linear_dw},
    [OP_GLOBAL_POOL] = {.workspace = ref_input_sums, .run = ref_global_pool},
    [OP_GLOBAL_POOL_BWD] = {.run = ref_global_pool_bwd},
    [OP_POOL] = {.run = ref_pool},
    [OP_POOL_BWD] = {.workspace = ref_pool_bwd_workspace, .run = ref_pool_bwd},
    [OP_CONCAT] = {.run = ref_concat},
    [OP_SPLIT] = {.run = ref_split},
    [OP_CHANNEL_SHUFFLE] = {.run = ref_channel_shuffle},
    [OP_ADD] = {.run = ref_add},
    [OP_EMBED] = {.run = ref_embed},
    [OP_EMBED_BWD] = {.run = ref_embed_bwd},
    [OP_FIRST_TOKEN] = {.run = ref_first_token},
    [OP_FIRST_TOKEN_BWD] = {.run = ref_first_token_bwd},
    [OP_LAYER_NORM] = {.run = ref_layer_norm},
    [OP_LAYER_NORM_BWD] = {.workspace = ref_layer_norm_bwd_workspace, .run = ref_layer_norm_bwd},
    [OP_TOKEN_LINEAR] = {.workspace = ref_linear_workspace, .run = ref_linear},
    [OP_TOKEN_LINEAR_DX] = {.workspace = ref_output_sums, .run = ref_linear_dx},
    [OP_TOKEN_LINEAR_DW] = {.workspace = ref_output_sums, .run = ref_linear_dw},
    [OP_GELU] = {.run = ref_gelu},
    [OP_GELU_BWD] = {.run = ref_gelu_bwd},
    [OP_ATTENTION] = {.workspace = ref_attention_workspace, .run = ref_attention},
    [OP_ATTENTION_BWD] = {.workspace = ref_attention_bwd_workspace, .run = ref_attention_bwd},
    [OP_RESIDUAL] = {.run = ref_residual},
    [OP_RESIDUAL_BWD] = {.workspace = ref_input_sums, .run = ref_residual_bwd},
    [OP_FOLD_SCALE] = {.run = ref_fold_scale},
    [OP_DISTILL_LOSS] = {.workspace = ref_input_sums, .run = ref_distill_loss},
    [OP_TALLY] = {.run = ref_tally},
    [OP_CLIP_NORM] = {.run = ref_clip_norm},
    [OP_SGD] = {.run = ref_sgd},
    [OP_ADAMW] = {.run = ref_adamw},
};

static enum status ref_open(struct device *device, struct error *err) {
    (void)err;
    snprintf(device->identity, sizeof device->identity, "ref");
    return STATUS_OK;
}

static void ref_close(struct device *device) {
    (void)device;
}

const struct backend backend_ref = {
    .name = "ref",
    .sentence = "plain C on one thread, with sums in double: slow, and what others are held to",
    .host = true,
    .open = ref_open,
    .close = ref_close,
    .alloc = host_alloc,
    .free = host_free,
    .upload = host_copy,
    .download = host_copy,
    .fill = host_fill,
    .synchronize = host_synchronize,
    .kernels = ref_kernels,
};
