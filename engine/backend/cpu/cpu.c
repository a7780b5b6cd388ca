#include "engine/backend/cpu/cpu_internal.h"

#include "engine/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

extern const struct backend backend_ref, backend_cpu;

/* What is missing here is taken from ref: ops whose cost is nothing beside the rest. */
static const struct kernel cpu_kernels[OP_COUNT] = {
    [OP_NORMALIZE] = {.prepare = cpu_normalize_prepare, .run = cpu_normalize, .release = free},
    [OP_CONV] = {.in = {[3] = FORMAT_NATIVE},
                 .out = {FORMAT_NATIVE},
                 .formats = cpu_conv_formats,
                 .prepare = cpu_conv_prepare,
                 .refresh = cpu_conv_refresh,
                 .run = cpu_conv,
                 .release = cpu_conv_release},
    [OP_CONV_DX] = {.in = {FORMAT_NATIVE},
                    .out = {FORMAT_NATIVE},
                    .prepare = cpu_conv_prepare,
                    .run = cpu_conv,
                    .release = cpu_conv_release},
    [OP_CONV_DW] = {.in = {FORMAT_NATIVE},
                    .formats = cpu_conv_dw_formats,
                    .prepare = cpu_conv_prepare,
                    .run = cpu_conv_dw,
                    .release = cpu_conv_release},
    [OP_BN_ACT] = {.in = {[0] = FORMAT_NATIVE, [3] = FORMAT_NATIVE},
                   .out = {FORMAT_NATIVE},
                   .workspace = cpu_bn_workspace,
                   .run = cpu_bn_act},
    [OP_BN_ACT_BWD] = {.in = {FORMAT_NATIVE, FORMAT_NATIVE, FORMAT_NATIVE, FORMAT_NATIVE},
                       .out = {[0] = FORMAT_NATIVE, [3] = FORMAT_NATIVE},
                       .workspace = cpu_bn_workspace,
                       .run = cpu_bn_act_bwd},
    [OP_SCALE_ACT] = {.in = {FORMAT_NATIVE},
                      .out = {FORMAT_NATIVE},
                      .workspace = cpu_scale_act_workspace,
                      .run = cpu_scale_act},
    [OP_LINEAR] = {.run = cpu_linear},
    [OP_LINEAR_DX] = {.run = cpu_linear_dx},
    [OP_LINEAR_DW] = {.run = cpu_linear_dw},
    [OP_GLOBAL_POOL] = {.in = {FORMAT_NATIVE}, .run = cpu_global_pool},
    [OP_GLOBAL_POOL_BWD] = {.out = {FORMAT_NATIVE}, .run = cpu_global_pool_bwd},
    [OP_POOL] = {.in = {FORMAT_NATIVE, FORMAT_NATIVE}, .out = {FORMAT_NATIVE}, .run = cpu_pool},
    [OP_POOL_BWD] = {.in = {FORMAT_NATIVE, FORMAT_NATIVE},
                     .out = {FORMAT_NATIVE},
                     .workspace = cpu_pool_bwd_workspace,
                     .run = cpu_pool_bwd},
    [OP_CONCAT] = {.in = {FORMAT_NATIVE, FORMAT_NATIVE},
                   .out = {FORMAT_NATIVE, FORMAT_NATIVE},
                   .workspace = cpu_channels_workspace,
                   .run = cpu_channels},
    [OP_SPLIT] = {.in = {FORMAT_NATIVE, FORMAT_NATIVE},
                  .out = {FORMAT_NATIVE, FORMAT_NATIVE},
                  .workspace = cpu_channels_workspace,
                  .run = cpu_channels},
    [OP_CHANNEL_SHUFFLE] = {.in = {FORMAT_NATIVE, FORMAT_NATIVE},
                            .out = {FORMAT_NATIVE, FORMAT_NATIVE},
                            .workspace = cpu_channels_workspace,
                            .run = cpu_channels},
    [OP_ADD] = {.in = {FORMAT_NATIVE, FORMAT_NATIVE}, .out = {FORMAT_NATIVE}, .run = cpu_add},
    [OP_EMBED] = {.formats = cpu_embed_formats, .run = cpu_embed},
    [OP_EMBED_BWD] = {.formats = cpu_embed_bwd_formats, .run = cpu_embed_bwd},
    [OP_FIRST_TOKEN] = {.formats = cpu_token_formats, .run = cpu_first_token},
    [OP_FIRST_TOKEN_BWD] = {.formats = cpu_token_formats, .run = cpu_first_token_bwd},
    [OP_LAYER_NORM] = {.formats = cpu_token_formats, .run = cpu_layer_norm},
    [OP_LAYER_NORM_BWD] = {.formats = cpu_token_formats,
                           .workspace = cpu_layer_norm_bwd_workspace,
                           .run = cpu_layer_norm_bwd},
    [OP_TOKEN_LINEAR] = {.formats = cpu_token_formats,
                         .prepare = cpu_token_linear_prepare,
                         .refresh = cpu_token_linear_refresh,
                         .run = cpu_token_linear,
                         .release = cpu_token_linear_release},
    [OP_TOKEN_LINEAR_DX] = {.formats = cpu_token_formats,
                            .prepare = cpu_token_linear_prepare,
                            .run = cpu_token_linear,
                            .release = cpu_token_linear_release},
    [OP_TOKEN_LINEAR_DW] = {.formats = cpu_token_formats,
                            .prepare = cpu_token_linear_prepare,
                            .workspace = cpu_token_sums_workspace,
                            .run = cpu_token_linear_dw,
                            .release = cpu_token_linear_release},
    [OP_GELU] = {.formats = cpu_token_formats, .run = cpu_gelu},
    [OP_GELU_BWD] = {.formats = cpu_token_formats, .run = cpu_gelu_bwd},
    [OP_ATTENTION] = {.formats = cpu_token_formats,
                      .workspace = cpu_attention_workspace,
                      .run = cpu_attention},
    [OP_ATTENTION_BWD] = {.formats = cpu_token_formats,
                          .workspace = cpu_attention_bwd_workspace,
                          .run = cpu_attention_bwd},
    [OP_RESIDUAL] = {.formats = cpu_token_formats,
                     .workspace = cpu_residual_workspace,
                     .run = cpu_residual},
    [OP_RESIDUAL_BWD] = {.formats = cpu_token_formats,
                         .workspace = cpu_residual_workspace,
                         .run = cpu_residual_bwd},
    [OP_DISTILL_LOSS] = {.workspace = cpu_distill_loss_workspace, .run = cpu_distill_loss},
    [OP_CLIP_NORM] = {.workspace = cpu_clip_norm_workspace, .run = cpu_clip_norm},
    [OP_SGD] = {.run = cpu_sgd},
    [OP_ADAMW] = {.run = cpu_adamw},
    [OP_REORDER] = {.run = cpu_reorder},
};

struct blocked blocked_of(const struct kernel_context *context, const struct value *value) {
    const struct shape *shape = &value->shape;
    int lanes = cpu_of(context)->vec->lanes;
    return (struct blocked){.n = shape->n,
                            .blocks = (shape->c + lanes - 1) / lanes,
                            .lanes = lanes,
                            .channels = shape->c,
                            .plane = (size_t)shape->h * (size_t)shape->w * (size_t)lanes,
                            .bf16 = value->dtype == DTYPE_BF16};
}

const struct cpu_role *cpu_role_of(const struct kernel_context *context) {
    static const struct cpu_role role[] = {{DNN_FORWARD, 0, 1, CPU_OUT},
                                           {DNN_BACKWARD_DATA, CPU_OUT, 1, 0},
                                           {DNN_BACKWARD_WEIGHTS, 1, CPU_OUT, 0}};
    enum opcode code = context->op->code;
    if (code == OP_CONV || code == OP_TOKEN_LINEAR)
        return &role[0];
    return &role[code == OP_CONV_DX || code == OP_TOKEN_LINEAR_DX ? 1 : 2];
}

static void *pointer_of(const struct kernel_args *args, int i) {
    return i == CPU_OUT ? args->out[0] : args->in[i];
}

struct dnn_pointers cpu_dnn_pointers(const struct kernel_args *args) {
    const struct cpu_role *role = cpu_role_of(args->context);
    return (struct dnn_pointers){.x = pointer_of(args, role->x),
                                 .y = pointer_of(args, role->y),
                                 .weight = pointer_of(args, role->weight),
                                 .bias = args->in[2],
                                 .workspace = args->workspace};
}

/* PLAIN is f32 in memory. */
static bool is_bf16(const struct program *program, int value, enum format format) {
    return value != NO_VALUE && program->value[value].dtype == DTYPE_BF16 && format != FORMAT_PLAIN;
}

/* UNSUPPORTED when a value lies there in bf16 and the processor has no instructions for it. */
static enum status cpu_check(const struct kernel_context *context, struct error *err) {
    bool bf16 = false;
    for (int i = 0; i < OP_MAX_IN; i++)
        bf16 |= is_bf16(context->program, context->op->in[i], context->in[i]);
    for (int i = 0; i < OP_MAX_OUT; i++)
        bf16 |= is_bf16(context->program, context->op->out[i], context->out[i]);
    if (!bf16 || cpu_of(context)->bf16)
        return STATUS_OK;
    return error_set_field(err, STATUS_UNSUPPORTED, "precision",
                           "this processor has no instructions for bf16 (AVX512_BF16); use f32");
}

static void describe(struct device *device, const struct dnn_features *features) {
    const struct cpu *cpu = device->state;
    snprintf(device->identity, sizeof device->identity, "cpu oneDNN %d.%d.%d %s", features->major,
             features->minor, features->patch, cpu->vec->name);
}

static enum status cpu_open(struct device *device, struct error *err) {
    struct dnn_features features = dnn_features();
    int granted = parallel_granted(device->threads);
    if (granted != device->threads)
        return error_set_field(err, STATUS_UNSUPPORTED, "threads",
                               "only %d of %d threads are allowed here (OMP_THREAD_LIMIT)", granted,
                               device->threads);
    struct cpu *cpu = xcalloc(1, sizeof *cpu);
    enum status status = dnn_open(&cpu->dnn, err);
    if (status) {
        free(cpu);
        return status;
    }
    cpu->vec = vec_choose(features.avx2, features.avx512, features.bf16);
    cpu->bf16 = features.bf16;
    device->state = cpu;
    describe(device, &features);
    return STATUS_OK;
}

static void cpu_close(struct device *device) {
    struct cpu *cpu = device->state;
    dnn_close(cpu->dnn);
    free(cpu);
}

/* Large pages for large blocks: activations are read in many runs at a time, more than the
 * processor knows small pages for. A wish, which the system may leave unheard. */
static void wish_large_pages(void *block, size_t bytes) {
    enum { LARGE_PAGE = 2 << 20 };
    uintptr_t begin = ((uintptr_t)block + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1);
    uintptr_t end = (uintptr_t)block + bytes;
    if (begin + LARGE_PAGE <= end)
        madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

static enum status cpu_alloc(struct device *device, void **out, size_t bytes, const char *what,
                             struct error *err) {
    enum status status = host_alloc(device, out, bytes, what, err);
    if (!status)
        wish_large_pages(*out, bytes);
    return status;
}

static size_t cpu_native_bytes(const struct device *device, const struct value *value) {
    const struct kernel_context context = {.device = (struct device *)(uintptr_t)device};
    struct blocked blocked = blocked_of(&context, value);
    return blocked_count(&blocked) * dtype_bytes(value->dtype);
}

const struct backend backend_cpu = {
    .name = "cpu",
    .sentence = "oneDNN's convolutions and own vector loops, on as many threads as asked for",
    .host = true,
    .bf16 = true,
    .open = cpu_open,
    .close = cpu_close,
    .alloc = cpu_alloc,
    .free = host_free,
    .upload = host_copy,
    .download = host_copy,
    .fill = host_fill,
    .synchronize = host_synchronize,
    .merge = cpu_merge,
    .check = cpu_check,
    .native_bytes = cpu_native_bytes,
    .kernels = cpu_kernels,
    .fallback = &backend_ref,
};
