/*
 * Batch norm over blocked tensors. Statistics and sums are taken in chunks of pictures whose
 * number does not depend on the threads, and the chunks are put together in order.
 *
 * A block of channels is first measured, then written. A thread does both to whole blocks, so that
 * the second pass finds in the cache what the first has read; the blocks that are left over when
 * each thread has as many as the others are cut by pictures.
 */
#include "engine/backend/cpu/cpu_internal.h"

#include <math.h>
#include <string.h>

enum { CHUNKS = 16 };

struct job;
typedef void measure_fn(const struct job *job, int block, int chunk);
typedef void finish_fn(const struct job *job, int channel);

/* One run over a batch norm's tensors. */
struct job {
    const struct kernel_args *args;
    const struct vec_kernels *vec;
    measure_fn *measure; /* moments or sums of a chunk */
    finish_fn *finish;   /* numbers of a channel from those of all chunks */
    void (*write)(const struct vec_norm *norm, size_t at, size_t n, int channel);
    int first; /* of the blocks that are cut by pictures */
    struct blocked blocked;
    struct vec_norm norm;
    int chunks;
    double *part; /* [blocks][chunks][2][lanes]: of each chunk mean and square sum, or two sums */
    float *mean, *scale, *beta, *mean_g, *slope; /* norm's, to be written: [blocks lanes] */
};

static int chunks_of(int n) {
    return n < CHUNKS ? n : CHUNKS;
}

static int chunk_begin(const struct job *job, int chunk) {
    return (int)((long)job->blocked.n * chunk / job->chunks);
}

static size_t part_count(const struct blocked *blocked) {
    return blocked_channels(blocked) * (size_t)chunks_of(blocked->n) * 2;
}

static double *part_at(const struct job *job, int block, int chunk) {
    size_t lanes = (size_t)job->blocked.lanes;
    return job->part + ((size_t)block * (size_t)job->chunks + (size_t)chunk) * 2 * lanes;
}

size_t cpu_bn_workspace(const struct kernel_context *context) {
    struct blocked blocked = blocked_of(context, context_in(context, 0));
    return part_count(&blocked) * sizeof(double) + 5 * blocked_channels(&blocked) * sizeof(float);
}

static struct job job_of(const struct kernel_args *args, const struct value *x) {
    struct job job = {
        .args = args, .vec = cpu_of(args->context)->vec, .blocked = blocked_of(args->context, x)};
    size_t channels = blocked_channels(&job.blocked);
    job.chunks = chunks_of(job.blocked.n);
    job.part = args->workspace;
    job.norm.mean = job.mean = (float *)(job.part + part_count(&job.blocked));
    job.norm.scale = job.scale = job.mean + channels;
    job.norm.beta = job.beta = job.scale + channels;
    job.norm.mean_g = job.mean_g = job.beta + channels;
    job.norm.slope = job.slope = job.mean_g + channels;
    memset(job.mean, 0, 5 * channels * sizeof(float));
    return job;
}

static double inverse_deviation(const struct job *job, float var) {
    return 1 / sqrt((double)var + (double)job->args->context->op->attr.norm.eps);
}

static void finish_block(const struct job *job, int block) {
    int begin = block * job->blocked.lanes, width = blocked_width(&job->blocked, block);
    for (int channel = begin; channel < begin + width; channel++)
        job->finish(job, channel);
}

static void write_plane(const struct job *job, int block, int n) {
    job->write(&job->norm, blocked_at(&job->blocked, n, block), job->blocked.plane,
               block * job->blocked.lanes);
}

/* Backwards in the second pass: what was read last is found first. */
static void run_blocks(const void *context, int begin, int end) {
    const struct job *job = context;
    for (int block = begin; block < end; block++) {
        for (int chunk = 0; chunk < job->chunks; chunk++)
            job->measure(job, block, chunk);
        finish_block(job, block);
        for (int n = job->blocked.n - 1; n >= 0; n--)
            write_plane(job, block, n);
    }
}

static void measure_chunks(const void *context, int begin, int end) {
    const struct job *job = context;
    for (int i = begin; i < end; i++)
        job->measure(job, job->first + i / job->chunks, i % job->chunks);
}

static void write_planes(const void *context, int begin, int end) {
    const struct job *job = context;
    for (int i = begin; i < end; i++)
        write_plane(job, job->first + i / job->blocked.n, i % job->blocked.n);
}

static void run(struct job *job) {
    int threads = job->args->context->device->threads, blocks = job->blocked.blocks;
    size_t block = blocked_count(&job->blocked) / (size_t)blocks;
    job->first = blocks / threads * threads;
    int rest = blocks - job->first;
    parallel_run(threads, job->first, (size_t)job->first * block, run_blocks, job);
    if (rest == 0)
        return;
    parallel_run(threads, rest * job->chunks, (size_t)rest * block, measure_chunks, job);
    for (int i = job->first; i < blocks; i++)
        finish_block(job, i);
    parallel_run(threads, rest * job->blocked.n, (size_t)rest * block, write_planes, job);
}

/* --- forward --- */

/* Mean and sum of squared distances of a chunk, around the mean of its first plane. */
static void chunk_moments(const struct job *job, int block, int chunk) {
    int lanes = job->blocked.lanes, bf16 = job->blocked.bf16;
    float shift[VEC_MAX_LANES] = {0};
    double sums[2 * VEC_MAX_LANES] = {0}, *part = part_at(job, block, chunk);
    int begin = chunk_begin(job, chunk), end = chunk_begin(job, chunk + 1);
    size_t plane = job->blocked.plane, pixels = plane / (size_t)lanes;
    double count = (double)(end - begin) * (double)pixels;
    job->vec->pool_mean[bf16](job->norm.x, blocked_at(&job->blocked, begin, block), plane, shift);
    for (int n = begin; n < end; n++)
        job->vec->norm_moments[bf16](job->norm.x, blocked_at(&job->blocked, n, block), plane, shift,
                                     sums);
    for (int lane = 0; lane < lanes; lane++) {
        double offset = sums[lane] / count;
        part[lane] = (double)shift[lane] + offset;
        part[lanes + lane] = sums[lanes + lane] - sums[lane] * offset;
    }
}

/* Moments of all chunks together (Chan, Golub, LeVeque 1979). */
static void combine_moments(const struct job *job, int channel, float *mean, float *var) {
    int lanes = job->blocked.lanes, block = channel / lanes, lane = channel % lanes;
    double total = 0, center = 0, square = 0;
    for (int chunk = 0; chunk < job->chunks; chunk++) {
        const double *part = part_at(job, block, chunk) + lane;
        double count = chunk_begin(job, chunk + 1) - chunk_begin(job, chunk);
        double distance = part[0] - center;
        square += part[lanes] + distance * distance * total * count / (total + count) *
                                    ((double)job->blocked.plane / lanes);
        total += count;
        center += distance * count / total;
    }
    *mean = (float)center;
    *var = (float)(square / total / ((double)job->blocked.plane / lanes));
}

static void finish_moments(const struct job *job, int c) {
    const struct kernel_args *args = job->args;
    const float *gamma = args->in[1], *beta = args->in[2];
    float *mean = args->out[1], *var = args->out[2];
    combine_moments(job, c, &mean[c], &var[c]);
    job->mean[c] = mean[c];
    job->scale[c] = (float)((double)gamma[c] * inverse_deviation(job, var[c]));
    job->beta[c] = beta[c];
}

void cpu_bn_act(const struct kernel_args *args) {
    struct job job = job_of(args, context_in(args->context, 0));
    job.measure = chunk_moments;
    job.finish = finish_moments;
    job.write = job.vec->norm_apply[job.blocked.bf16];
    job.norm.x = args->in[0];
    job.norm.residual = args->in[3];
    job.norm.y = args->out[0];
    job.norm.act = args->context->op->attr.norm.act;
    run(&job);
}

/* --- backward --- */

static void chunk_sums(const struct job *job, int block, int chunk) {
    int lanes = job->blocked.lanes;
    double *part = part_at(job, block, chunk);
    memset(part, 0, 2 * (size_t)lanes * sizeof *part);
    for (int n = chunk_begin(job, chunk); n < chunk_begin(job, chunk + 1); n++)
        job->vec->norm_gradient[job->blocked.bf16](&job->norm, blocked_at(&job->blocked, n, block),
                                                   job->blocked.plane, block * lanes, part);
}

/* The sums of g and of g (x - mean) over all chunks. */
static void combine_sums(const struct job *job, int channel, double sum[2]) {
    int lanes = job->blocked.lanes;
    sum[0] = sum[1] = 0;
    for (int chunk = 0; chunk < job->chunks; chunk++) {
        const double *part = part_at(job, channel / lanes, chunk) + channel % lanes;
        sum[0] += part[0];
        sum[1] += part[lanes];
    }
}

static void finish_sums(const struct job *job, int c) {
    const struct kernel_args *args = job->args;
    const float *var = args->in[7];
    float *dgamma = args->out[1], *dbeta = args->out[2];
    size_t channels = blocked_channels(&job->blocked);
    double count = (double)blocked_count(&job->blocked) / (double)channels, sum[2];
    double inverse = inverse_deviation(job, var[c]);
    combine_sums(job, c, sum);
    dbeta[c] = (float)sum[0];
    dgamma[c] = (float)(sum[1] * inverse);
    job->mean_g[c] = (float)(sum[0] / count);
    job->slope[c] = (float)(sum[1] * inverse * inverse / count);
}

static enum vec_gate gate_of(const struct kernel_args *args) {
    if (args->context->op->attr.norm.act == ACT_NONE)
        return VEC_ALL_PASS;
    return args->in[3] ? VEC_GATE_OF_Y : VEC_GATE_OF_X;
}

void cpu_bn_act_bwd(const struct kernel_args *args) {
    struct job job = job_of(args, context_in(args->context, 2));
    const float *gamma = args->in[4], *beta = args->in[5], *mean = args->in[6], *var = args->in[7];
    job.measure = chunk_sums;
    job.finish = finish_sums;
    job.write = job.vec->norm_dx[job.blocked.bf16];
    job.norm.dy = args->in[0];
    job.norm.dy2 = args->in[1];
    job.norm.x = args->in[2];
    job.norm.y = args->in[3];
    job.norm.dx = args->out[0];
    job.norm.dresidual = args->out[3];
    job.norm.act = args->context->op->attr.norm.act;
    job.norm.gate = gate_of(args);
    for (int c = 0; c < job.blocked.channels; c++) {
        job.mean[c] = mean[c];
        job.scale[c] = (float)((double)gamma[c] * inverse_deviation(&job, var[c]));
        job.beta[c] = beta[c];
    }
    run(&job);
}
