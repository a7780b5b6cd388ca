/*
 * Concat, split and shuffle of blocked tensors: each moves whole channels, so one loop serves all
 * that is told where an output's channel comes from.
 */
#include "engine/backend/cpu/cpu_internal.h"

#include <string.h>

struct job;

/* A channel of one of the inputs. */
struct source {
    int input, channel;
};

/* Where channel c of the output comes from. */
typedef struct source source_fn(const struct job *job, int c);

struct job {
    const char *in[2];
    struct blocked from[2], to;
    char *out;
    source_fn *source;
    int first, groups; /* what the source functions need */
    size_t bytes;      /* of a number */
};

static struct source of_concat(const struct job *job, int c) {
    return c < job->first ? (struct source){0, c} : (struct source){1, c - job->first};
}

static struct source of_split(const struct job *job, int c) {
    return (struct source){0, job->first + c};
}

static struct source of_shuffle(const struct job *job, int c) {
    return (struct source){0, c % job->groups * (job->to.channels / job->groups) + c / job->groups};
}

/* The channel's number of the first pixel of picture n. */
static const char *lane_at(const struct job *job, int n, int c) {
    struct source source = job->source(job, c);
    const struct blocked *from = &job->from[source.input];
    size_t at =
        blocked_at(from, n, source.channel / from->lanes) + (size_t)(source.channel % from->lanes);
    return job->in[source.input] + at * job->bytes;
}

static void gather_f32(float *to, const char *const lane[], int width, const struct blocked *y) {
    size_t lanes = (size_t)y->lanes;
    for (size_t i = 0; i < y->plane; i += lanes)
        for (int k = 0; k < width; k++)
            to[i + (size_t)k] = ((const float *)(const void *)lane[k])[i];
}

static void gather_bf16(uint16_t *to, const char *const lane[], int width,
                        const struct blocked *y) {
    size_t lanes = (size_t)y->lanes;
    for (size_t i = 0; i < y->plane; i += lanes)
        for (int k = 0; k < width; k++)
            to[i + (size_t)k] = ((const uint16_t *)(const void *)lane[k])[i];
}

/* Are all lanes those of one block, each at its place? */
static bool is_whole_block(const struct job *job, const char *const lane[], int width) {
    for (int k = 1; k < width; k++)
        if (lane[k] != lane[0] + (size_t)k * job->bytes)
            return false;
    return width == job->to.lanes;
}

static void gather_plane(const struct job *job, int n, int block) {
    const struct blocked *to = &job->to;
    const char *lane[VEC_MAX_LANES];
    int width = blocked_width(to, block);
    CHECK(width > 0);
    char *out = job->out + blocked_at(to, n, block) * job->bytes;
    for (int k = 0; k < width; k++)
        lane[k] = lane_at(job, n, block * to->lanes + k);
    if (is_whole_block(job, lane, width)) {
        memcpy(out, lane[0], to->plane * job->bytes);
        return;
    }
    if (width < to->lanes)
        memset(out, 0, to->plane * job->bytes);
    if (to->bf16)
        gather_bf16((uint16_t *)(void *)out, lane, width, to);
    else
        gather_f32((float *)(void *)out, lane, width, to);
}

static void gather_planes(const void *context, int worker, int begin, int end) {
    const struct job *job = context;
    (void)worker;
    for (int i = begin; i < end; i++)
        gather_plane(job, i / job->to.blocks, i % job->to.blocks);
}

static void run(const struct kernel_args *args, struct job *job, int out) {
    const struct kernel_context *context = args->context;
    job->to = blocked_of(context, context_out(context, out));
    job->out = args->out[out];
    job->bytes = job->to.bf16 ? sizeof(uint16_t) : sizeof(float);
    for (int i = 0; i < 2 && context->op->in[i] != NO_VALUE; i++) {
        job->from[i] = blocked_of(context, context_in(context, i));
        job->in[i] = args->in[i];
    }
    parallel_run(context->device->threads, job->to.n * job->to.blocks, blocked_count(&job->to),
                 gather_planes, job);
}

void cpu_channels_formats(const struct kernel_context *context, enum format *in, enum format *out) {
    (void)context;
    in[0] = in[1] = out[0] = out[1] = FORMAT_NATIVE;
}

void cpu_concat(void *state, const struct kernel_args *args) {
    struct job job = {.source = of_concat, .first = context_in(args->context, 0)->shape.c};
    (void)state;
    run(args, &job, 0);
}

void cpu_split(void *state, const struct kernel_args *args) {
    struct job first = {.source = of_split};
    struct job rest = {.source = of_split, .first = args->context->op->attr.channel.first};
    (void)state;
    run(args, &first, 0);
    run(args, &rest, 1);
}

void cpu_channel_shuffle(void *state, const struct kernel_args *args) {
    struct job job = {.source = of_shuffle, .groups = args->context->op->attr.channel.groups};
    (void)state;
    run(args, &job, 0);
}
