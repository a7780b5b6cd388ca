#include "engine/backend/cuda/cuda_internal.h"

/* x is the picture that the forward op pools, y what it becomes. */
static struct pool_args pool_of(const struct kernel_args *args, struct shape x, struct shape y) {
    const struct pool_attr *attr = &args->context->op->attr.pool;
    return (struct pool_args){.n = x.n,
                              .h = x.h,
                              .w = x.w,
                              .c = x.c,
                              .yh = y.h,
                              .yw = y.w,
                              .kernel = attr->kernel,
                              .stride = attr->stride,
                              .pad = attr->pad,
                              .average = attr->average};
}

static struct pool_args forward_of(const struct kernel_args *args) {
    struct pool_args launch =
        pool_of(args, context_in(args->context, 0)->shape, context_out(args->context, 0)->shape);
    launch.x = array_in(args, 0);
    launch.y = array_out(args, 0);
    return launch;
}

static struct pool_args backward_of(const struct kernel_args *args) {
    struct pool_args launch =
        pool_of(args, context_out(args->context, 0)->shape, context_in(args->context, 0)->shape);
    launch.dy = array_in(args, 0);
    launch.x = array_in(args, 1);
    launch.dx = array_out(args, 0);
    return launch;
}

void cuda_pool(const struct kernel_args *args) {
    struct pool_args launch = forward_of(args);
    launch_pool(queue_of(args), &launch);
}

void cuda_pool_bwd(const struct kernel_args *args) {
    struct pool_args launch = backward_of(args);
    launch_pool_bwd(queue_of(args), &launch);
}

void cuda_global_pool(const struct kernel_args *args) {
    struct pool_args launch = forward_of(args);
    launch_global_pool(queue_of(args), &launch);
}

void cuda_global_pool_bwd(const struct kernel_args *args) {
    struct pool_args launch = backward_of(args);
    launch_global_pool_bwd(queue_of(args), &launch);
}
