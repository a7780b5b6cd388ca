/*
 * What a batch norm is in inference, and the gradient of a bias: numbers by channel.
 */
#include "engine/backend/cpu/cpu_internal.h"

#include <string.h>

/* --- scale_act --- */

struct job {
    const struct vec_kernels *vec;
    struct blocked blocked;
    struct vec_norm norm;
};

size_t cpu_scale_act_workspace(const struct kernel_context *context) {
    struct blocked blocked = blocked_of(context, context_in(context, 0));
    return 3 * blocked_channels(&blocked) * sizeof(float);
}

static void scale_planes(const void *context, int begin, int end) {
    const struct job *job = context;
    const struct blocked *blocked = &job->blocked;
    for (int i = begin; i < end; i++)
        job->vec->norm_apply[blocked->bf16](&job->norm, (size_t)i * blocked->plane, blocked->plane,
                                            i % blocked->blocks * blocked->lanes);
}

/* A batch norm whose mean is zero; scale and shift are padded with zeros, as channels are. */
void cpu_scale_act(const struct kernel_args *args) {
    struct blocked blocked = blocked_of(args->context, context_in(args->context, 0));
    size_t padded = blocked_channels(&blocked), bytes = (size_t)blocked.channels * sizeof(float);
    float *zero = args->workspace, *scale = zero + padded, *shift = scale + padded;
    struct job job = {.vec = cpu_of(args->context)->vec,
                      .blocked = blocked,
                      .norm = {.x = args->in[0],
                               .y = args->out[0],
                               .act = args->context->op->attr.norm.act,
                               .mean = zero,
                               .scale = scale,
                               .beta = shift}};
    memset(zero, 0, 3 * padded * sizeof(float));
    memcpy(scale, args->in[1], bytes);
    memcpy(shift, args->in[2], bytes);
    parallel_run(args->context->device->threads, blocked.n * blocked.blocks,
                 blocked_count(&blocked), scale_planes, &job);
}

/* --- bias --- */

struct sum_job {
    const struct vec_kernels *vec;
    struct blocked blocked;
    const void *dy;
    float *dbias;
};

static void sum_block(const struct sum_job *job, int block) {
    const struct blocked *blocked = &job->blocked;
    size_t pixels = blocked->plane / (size_t)blocked->lanes;
    double sum[VEC_MAX_LANES] = {0};
    float mean[VEC_MAX_LANES];
    for (int n = 0; n < blocked->n; n++) {
        job->vec->pool_mean[blocked->bf16](job->dy, blocked_at(blocked, n, block), blocked->plane,
                                           mean);
        for (int lane = 0; lane < blocked->lanes; lane++)
            sum[lane] += (double)mean[lane];
    }
    for (int lane = 0; lane < blocked_width(blocked, block); lane++)
        job->dbias[block * blocked->lanes + lane] = (float)(sum[lane] * (double)pixels);
}

static void sum_blocks(const void *context, int begin, int end) {
    const struct sum_job *job = context;
    for (int block = begin; block < end; block++)
        sum_block(job, block);
}

void cpu_sum_channels(const struct kernel_args *args, float *dbias) {
    struct sum_job job = {.vec = cpu_of(args->context)->vec,
                          .blocked = blocked_of(args->context, context_in(args->context, 0)),
                          .dy = args->in[0],
                          .dbias = dbias};
    parallel_run(args->context->device->threads, job.blocked.blocks, blocked_count(&job.blocked),
                 sum_blocks, &job);
}
