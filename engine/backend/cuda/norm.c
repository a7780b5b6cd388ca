#include "engine/backend/cuda/cuda_internal.h"

size_t cuda_sums_bytes(const struct kernel_context *context, int in) {
    return launch_norm_workspace_bytes(&cuda_of(context)->queue,
                                       extent_of(context_in(context, in)->shape),
                                       context->in[in] == FORMAT_NATIVE);
}

size_t cuda_sums_workspace(const struct kernel_context *context) {
    return cuda_sums_bytes(context, 0);
}

size_t cuda_bn_act_bwd_workspace(const struct kernel_context *context) {
    return cuda_sums_bytes(context, 2);
}

void cuda_bn_act(const struct kernel_args *args) {
    const struct norm_attr *attr = &args->context->op->attr.norm;
    struct norm_args launch = {.x = array_in(args, 0),
                               .residual = array_in(args, 3),
                               .y = array_out(args, 0),
                               .gamma = args->in[1],
                               .beta = args->in[2],
                               .mean = args->out[1],
                               .var = args->out[2],
                               .extent = extent_of(context_in(args->context, 0)->shape),
                               .eps = attr->eps,
                               .act = (enum launch_act)attr->act,
                               .workspace = args->workspace};
    launch_bn_act(queue_of(args), &launch);
}

void cuda_bn_act_bwd(const struct kernel_args *args) {
    const struct norm_attr *attr = &args->context->op->attr.norm;
    struct norm_bwd_args launch = {.dy = array_in(args, 0),
                                   .dy2 = array_in(args, 1),
                                   .x = array_in(args, 2),
                                   .y = array_in(args, 3),
                                   .dx = array_out(args, 0),
                                   .dresidual = array_out(args, 3),
                                   .gamma = args->in[4],
                                   .beta = args->in[5],
                                   .mean = args->in[6],
                                   .var = args->in[7],
                                   .dgamma = args->out[1],
                                   .dbeta = args->out[2],
                                   .extent = extent_of(context_in(args->context, 2)->shape),
                                   .eps = attr->eps,
                                   .act = (enum launch_act)attr->act,
                                   .workspace = args->workspace};
    launch_bn_act_bwd(queue_of(args), &launch);
}

static struct bn_update update_of(const struct kernel_args *args) {
    const struct norm_attr *attr = &args->context->op->attr.norm;
    /* A single element has no unbiased variance; its biased one, 0, is taken. */
    double unbias = attr->count > 1 ? attr->count / (attr->count - 1.0) : 1.0;
    return (struct bn_update){.mean = args->in[0],
                              .var = args->in[1],
                              .running_mean = args->out[0],
                              .running_var = args->out[1],
                              .channels = context_in(args->context, 0)->shape.c,
                              .momentum = attr->momentum,
                              .unbias = (float)unbias};
}

void cuda_bn_update(const struct kernel_args *args) {
    struct bn_update update = update_of(args);
    launch_bn_updates(queue_of(args), &update, 1);
}

void cuda_bn_updates(const struct kernel_args *const *args, int count) {
    struct bn_update updates[KERNEL_CALLS];
    _Static_assert((int)KERNEL_CALLS <= (int)LAUNCH_TOGETHER, "one launch");
    for (int i = 0; i < count; i++)
        updates[i] = update_of(args[i]);
    launch_bn_updates(queue_of(args[0]), updates, count);
}

void cuda_fold_bn(const struct kernel_args *args) {
    struct shape shape = context_in(args->context, 0)->shape;
    struct bn_params_args launch = {.weight = args->in[0],
                                    .gamma = args->in[1],
                                    .beta = args->in[2],
                                    .mean = args->in[3],
                                    .var = args->in[4],
                                    .conv_bias = args->in[5],
                                    .out = args->out[0],
                                    .out2 = args->out[1],
                                    .channels = shape.n,
                                    .taps = shape.h * shape.w * shape.c,
                                    .eps = args->context->op->attr.norm.eps};
    launch_fold_bn(queue_of(args), &launch);
}

void cuda_bn_scale(const struct kernel_args *args) {
    struct bn_params_args launch = {.gamma = args->in[0],
                                    .beta = args->in[1],
                                    .mean = args->in[2],
                                    .var = args->in[3],
                                    .out = args->out[0],
                                    .out2 = args->out[1],
                                    .channels = context_in(args->context, 0)->shape.c,
                                    .eps = args->context->op->attr.norm.eps};
    launch_bn_scale(queue_of(args), &launch);
}
