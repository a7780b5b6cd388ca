#include "engine/backend/cpu/conv_way.h"

#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct picture {
    struct shape x, weight; /* weight: [k,r,s,c] */
    struct conv_attr attr;
    struct blocked y;
    int h, w; /* of y */
    int threads;
};

static bool picture_fits(const struct dnn_problem *problem, const struct vec_kernels *vec) {
    enum { TAPS_MOST = 27 }; /* beyond, planes pay, and so does bf16 */
    const struct shape *w = &problem->weight;
    (void)vec;
    return problem->direction == DNN_FORWARD && problem->x.layout == DNN_NHWC &&
           problem->y.dtype == DTYPE_F32 && problem->attr.groups == 1 && !problem->residual &&
           w->h * w->w * w->c <= TAPS_MOST;
}

/* Numbers of a window, of a line of x with its padding, and of the lines that a window needs. */
static size_t taps_of(const struct picture *it) {
    return (size_t)it->weight.h * (size_t)it->weight.w * (size_t)it->weight.c;
}

static size_t line_of(const struct picture *it) {
    return (size_t)(it->x.w + 2 * it->attr.pad) * (size_t)it->x.c;
}

static size_t lines_of(const struct picture *it) {
    return (size_t)it->weight.h * line_of(it);
}

/* Weights [blocks][taps][lanes], then biases [blocks][lanes]. */
static size_t packed_floats(const struct picture *it) {
    return (size_t)(it->y.blocks * it->y.lanes) * (taps_of(it) + 1);
}

static enum status picture_create(const struct kernel_context *context,
                                  const struct dnn_problem *problem, void **state,
                                  size_t *workspace_bytes, struct error *err) {
    struct picture *it = *state = xcalloc(1, sizeof *it);
    it->x = problem->x.shape;
    it->weight = problem->weight;
    it->attr = problem->attr;
    it->y = blocked_of(context, context_out(context, 0));
    it->h = problem->y.shape.h;
    it->w = problem->y.shape.w;
    it->threads = context->device->threads;
    *workspace_bytes = (packed_floats(it) + (size_t)it->threads * lines_of(it)) * sizeof(float);
    (void)err;
    return STATUS_OK;
}

struct job {
    const struct picture *it;
    const struct vec_kernels *vec;
    const float *x, *packed, *bias;
    float *lines; /* [threads][lines_of] */
    void *y;
};

static void pack(const struct picture *it, const float *weight, const float *bias, float *packed) {
    size_t taps = taps_of(it), lanes = (size_t)it->y.lanes;
    float *biases = packed + (size_t)it->y.blocks * lanes * taps;
    memset(packed, 0, packed_floats(it) * sizeof *packed);
    for (size_t k = 0; k < (size_t)it->weight.n; k++) {
        for (size_t i = 0; i < taps; i++)
            packed[(k / lanes * taps + i) * lanes + k % lanes] = weight[k * taps + i];
        biases[k] = bias ? bias[k] : 0;
    }
}

/* The lines of picture n that the windows of line h of y see, with zeros around them. */
static void copy_lines(const struct job *job, float *lines, int n, int h) {
    const struct picture *it = job->it;
    size_t line = line_of(it), width = (size_t)it->x.w * (size_t)it->x.c;
    size_t pad = (size_t)it->attr.pad * (size_t)it->x.c;
    memset(lines, 0, lines_of(it) * sizeof *lines);
    for (int i = 0; i < it->weight.h; i++) {
        int from = h * it->attr.stride - it->attr.pad + i;
        if (from >= 0 && from < it->x.h)
            memcpy(lines + (size_t)i * line + pad, job->x + (size_t)(n * it->x.h + from) * width,
                   width * sizeof *lines);
    }
}

static void run_line(const struct job *job, float *lines, int n, int h) {
    const struct picture *it = job->it;
    size_t lanes = (size_t)it->y.lanes;
    struct vec_picture vec = {.x = lines,
                              .row = line_of(it),
                              .lines = it->weight.h,
                              .line = it->weight.w * it->weight.c,
                              .step = it->attr.stride * it->x.c,
                              .y = job->y,
                              .act = it->attr.act};
    copy_lines(job, lines, n, h);
    for (int block = 0; block < it->y.blocks; block++) {
        vec.weight = job->packed + (size_t)block * taps_of(it) * lanes;
        vec.bias = job->bias + (size_t)block * lanes;
        job->vec->picture[it->y.bf16](
            &vec, blocked_at(&it->y, n, block) + (size_t)(h * it->w) * lanes, it->w);
    }
}

static void run_lines(const void *context, int begin, int end) {
    const struct job *job = context;
    float *lines = job->lines + parallel_worker() * lines_of(job->it);
    for (int i = begin; i < end; i++)
        run_line(job, lines, i / job->it->h, i % job->it->h);
}

static void picture_run(void *state, const struct kernel_args *args) {
    const struct picture *it = state;
    float *packed = args->workspace;
    struct job job = {.it = it,
                      .vec = cpu_of(args->context)->vec,
                      .x = args->in[0],
                      .packed = packed,
                      .bias = packed + (size_t)(it->y.blocks * it->y.lanes) * taps_of(it),
                      .lines = packed + packed_floats(it),
                      .y = args->out[0]};
    pack(it, args->in[1], args->in[2], packed);
    parallel_run(it->threads, it->y.n * it->h, blocked_count(&it->y) * taps_of(it) / 64, run_lines,
                 &job);
}

const struct conv_way conv_picture = {
    .fits = picture_fits, .create = picture_create, .run = picture_run, .free = free};
