#include "engine/backend/cpu/cpu_internal.h"

/* One pass over the planes of x and y. */
struct job {
    const struct vec_kernels *vec;
    struct blocked x, y;
    struct vec_pool pool; /* without the workers' sums */
    float *sums;          /* [threads][x.plane] */
};

static struct job job_of(const struct kernel_args *args, const struct value *x,
                         const struct value *y) {
    const struct pool_attr *attr = &args->context->op->attr.pool;
    return (struct job){.vec = cpu_of(args->context)->vec,
                        .x = blocked_of(args->context, x),
                        .y = blocked_of(args->context, y),
                        .pool = {.h = x->shape.h,
                                 .w = x->shape.w,
                                 .y_h = y->shape.h,
                                 .y_w = y->shape.w,
                                 .kernel = attr->kernel,
                                 .stride = attr->stride,
                                 .pad = attr->pad,
                                 .average = attr->average},
                        .sums = args->workspace};
}

static void for_planes(const struct kernel_args *args, const struct job *job,
                       parallel_task_fn *task) {
    parallel_run(args->context->device->threads, job->x.n * job->x.blocks, blocked_count(&job->x),
                 task, job);
}

static void pool_planes(const void *context, int begin, int end) {
    const struct job *job = context;
    for (int i = begin; i < end; i++)
        job->vec->pool[job->x.bf16](&job->pool, (size_t)i * job->x.plane, (size_t)i * job->y.plane);
}

void cpu_pool(const struct kernel_args *args) {
    struct job job = job_of(args, context_in(args->context, 0), context_out(args->context, 0));
    job.pool.x = args->in[0];
    job.pool.y = args->out[0];
    for_planes(args, &job, pool_planes);
}

size_t cpu_pool_bwd_workspace(const struct kernel_context *context) {
    struct blocked x = blocked_of(context, context_out(context, 0));
    return (size_t)context->device->threads * x.plane * sizeof(float);
}

static void spread_planes(const void *context, int begin, int end) {
    const struct job *job = context;
    struct vec_pool pool = job->pool;
    pool.sum = job->sums + parallel_worker() * job->x.plane;
    for (int i = begin; i < end; i++)
        job->vec->pool_dx[job->x.bf16](&pool, (size_t)i * job->x.plane, (size_t)i * job->y.plane);
}

void cpu_pool_bwd(const struct kernel_args *args) {
    struct job job = job_of(args, context_out(args->context, 0), context_in(args->context, 0));
    job.pool.dy = args->in[0];
    job.pool.x = args->in[1];
    job.pool.dx = args->out[0];
    for_planes(args, &job, spread_planes);
}
