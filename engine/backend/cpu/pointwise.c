#include "engine/backend/cpu/conv_way.h"

#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Pixels of an item: many, because memory likes long runs, or fewer where a few pictures have to
 * feed all threads. Pictures are summed up in chunks. */
enum { TILE = 256, SMALL_TILE = 64, CHUNKS = 16 };

/* A block of output channels and the input channels that it takes. */
struct fan {
    int first, last; /* channels */
    size_t at;       /* of its weights, or of its sums, in vectors */
};

struct pointwise {
    enum dnn_direction direction;
    struct shape weight; /* [k,1,1,c of one group] */
    int groups, threads;
    int lanes;              /* of a block */
    int tile;               /* pixels of an item */
    struct blocked in, out; /* out of weights' gradients: dy */
    bool dot;               /* bf16: products of pairs of channels, with weights in bf16 */
    struct fan *fan;        /* [out.blocks] */
    size_t vectors;         /* of all fans */
    void *packed;           /* constant weights, or NULL */
};

static bool pointwise_fits(const struct dnn_problem *problem, const struct vec_kernels *vec) {
    const struct conv_attr *attr = &problem->attr;
    const struct shape *weight = &problem->weight;
    int outputs = weight->n / attr->groups;
    bool whole = outputs % vec->lanes == 0 && weight->c % vec->lanes == 0;
    return weight->h == 1 && weight->w == 1 && attr->stride == 1 && attr->pad == 0 &&
           attr->groups > 1 && weight->c > 1 && !whole;
}

/* --- create --- */

/* Input channels of the groups that a block's channels are in; sums are of whole blocks, and dot
 * products of whole pairs. */
static struct fan fan_of(const struct pointwise *it, int block) {
    int in = it->in.channels / it->groups, out = it->out.channels / it->groups, lanes = it->lanes;
    int begin = block * lanes, end = begin + blocked_width(&it->out, block);
    struct fan fan = {.first = begin / out * in, .last = ((end - 1) / out + 1) * in};
    int whole = it->direction == DNN_BACKWARD_WEIGHTS ? lanes : it->dot ? 2 : 1;
    fan.first = fan.first / whole * whole;
    fan.last = (fan.last + whole - 1) / whole * whole;
    return fan;
}

static void lay_out(struct pointwise *it) {
    it->fan = xcalloc((size_t)it->out.blocks, sizeof *it->fan);
    for (int block = 0; block < it->out.blocks; block++) {
        struct fan *fan = &it->fan[block];
        *fan = fan_of(it, block);
        fan->at = it->vectors;
        it->vectors += (size_t)(fan->last - fan->first);
    }
}

static size_t packed_bytes(const struct pointwise *it) {
    return it->vectors * (size_t)it->lanes * (it->dot ? sizeof(uint16_t) : sizeof(float));
}

static int pixels_of(const struct pointwise *it) {
    return (int)(it->in.plane / (size_t)it->lanes);
}

static int tiles_of(const struct pointwise *it) {
    return (pixels_of(it) + it->tile - 1) / it->tile;
}

static int chunks_of(const struct pointwise *it) {
    return it->in.n < CHUNKS ? it->in.n : CHUNKS;
}

static enum status pointwise_create(const struct kernel_context *context,
                                    const struct dnn_problem *problem, void **state,
                                    size_t *workspace_bytes, struct error *err) {
    struct pointwise *it = *state = xcalloc(1, sizeof *it);
    bool sums = problem->direction == DNN_BACKWARD_WEIGHTS;
    it->direction = problem->direction;
    it->weight = problem->weight;
    it->groups = problem->attr.groups;
    it->threads = context->device->threads;
    it->lanes = cpu_of(context)->vec->lanes;
    it->in = blocked_of(context, context_in(context, sums));
    it->out = blocked_of(context, sums ? context_in(context, 0) : context_out(context, 0));
    it->tile = it->in.n < it->threads ? SMALL_TILE : TILE;
    it->dot = it->in.bf16 && !sums;
    lay_out(it);
    *workspace_bytes = packed_bytes(it) * (size_t)(sums ? chunks_of(it) : 1);
    (void)err;
    return STATUS_OK;
}

static void pointwise_free(void *state) {
    struct pointwise *it = state;
    free(it->fan);
    free(it->packed);
    free(it);
}

/* --- weights --- */

/* Where the weight from one channel to another is among the packed ones; the two of a pair of
 * input channels lie together. */
static size_t packed_at(const struct pointwise *it, int out, int in) {
    const struct fan *fan = &it->fan[out / it->lanes];
    size_t channel = fan->at + (size_t)(in - fan->first), lane = (size_t)(out % it->lanes);
    if (it->dot)
        return (channel / 2 * (size_t)it->lanes + lane) * 2 + channel % 2;
    return channel * (size_t)it->lanes + lane;
}

/* To the nearest, ties to even; what is not a number stays so. */
static uint16_t bf16_of(float number) {
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)((bits | 0x400000) >> 16);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* The channels of the op's output and input that weight [k][i] connects. */
static void channels_of(const struct pointwise *it, int k, int i, int *out, int *in) {
    int c = k / (it->weight.n / it->groups) * it->weight.c + i;
    bool swap = it->direction == DNN_BACKWARD_DATA;
    *out = swap ? c : k;
    *in = swap ? k : c;
}

static void pack(const struct pointwise *it, const float *weight, void *packed) {
    uint16_t *half = packed;
    float *full = packed;
    int out, in;
    memset(packed, 0, packed_bytes(it));
    for (int k = 0; k < it->weight.n; k++)
        for (int i = 0; i < it->weight.c; i++) {
            channels_of(it, k, i, &out, &in);
            size_t at = packed_at(it, out, in);
            if (it->dot)
                half[at] = bf16_of(*weight++);
            else
                full[at] = *weight++;
        }
}

static void pointwise_refresh(void *state, const struct kernel_args *args) {
    struct pointwise *it = state;
    if (!it->packed)
        it->packed = xmalloc(packed_bytes(it));
    pack(it, args->in[1], it->packed);
}

/* --- forward, and the gradient of x, which is the same with the weights turned round --- */

struct job {
    const struct pointwise *it;
    const struct vec_kernels *vec;
    const void *in, *residual;
    void *out;
    const void *packed;
    const float *bias;
    enum activation act;
};

static void run_tile(const struct job *job, int n, int tile) {
    const struct pointwise *it = job->it;
    size_t lanes = (size_t)it->lanes, most = (size_t)it->tile * lanes, at = (size_t)tile * most;
    size_t count = it->in.plane - at < most ? it->in.plane - at : most;
    size_t bytes = it->dot ? sizeof(uint16_t) : sizeof(float);
    struct vec_pointwise vec = {.x = (const char *)job->in +
                                     (blocked_at(&it->in, n, 0) + at) * bytes,
                                .x_block = it->in.plane,
                                .residual = job->residual,
                                .y = job->out,
                                .act = job->act};
    float bias[VEC_MAX_LANES] = {0};
    for (int block = 0; block < it->out.blocks; block++) {
        const struct fan *fan = &it->fan[block];
        size_t width = (size_t)blocked_width(&it->out, block);
        vec.first = fan->first;
        vec.last = fan->last;
        vec.weight = (const char *)job->packed + fan->at * lanes * bytes;
        if (job->bias)
            memcpy(bias, job->bias + (size_t)block * lanes, width * sizeof *bias);
        memset(bias + width, 0, (lanes - width) * sizeof *bias);
        vec.bias = bias;
        job->vec->pointwise[it->out.bf16](&vec, blocked_at(&it->out, n, block) + at,
                                          (int)(count / lanes));
    }
}

static void run_tiles(const void *context, int begin, int end) {
    const struct job *job = context;
    int tiles = tiles_of(job->it);
    for (int i = begin; i < end; i++)
        run_tile(job, i / tiles, i % tiles);
}

static void run_data(struct pointwise *it, const struct kernel_args *args) {
    bool forward = it->direction == DNN_FORWARD;
    struct job job = {.it = it,
                      .vec = cpu_of(args->context)->vec,
                      .in = args->in[0],
                      .out = args->out[0],
                      .residual = forward ? args->in[3] : NULL,
                      .bias = forward ? args->in[2] : NULL,
                      .packed = it->packed ? it->packed : args->workspace,
                      .act = forward ? args->context->op->attr.conv.act : ACT_NONE};
    if (!it->packed)
        pack(it, args->in[1], args->workspace);
    parallel_run(it->threads, it->in.n * tiles_of(it),
                 blocked_count(&it->in) + blocked_count(&it->out), run_tiles, &job);
}

/* --- gradient of the weights --- */

struct sum_job {
    const struct pointwise *it;
    const struct vec_kernels *vec;
    const void *x, *dy;
    float *sums, *dweight; /* sums: [chunks][vectors][lanes] */
};

static void sum_picture(const struct sum_job *job, int n, float *sums) {
    const struct pointwise *it = job->it;
    struct vec_products products = {.x = job->x, .dy = job->dy, .n = it->in.plane};
    for (int block = 0; block < it->out.blocks; block++) {
        const struct fan *fan = &it->fan[block];
        products.dy_at = blocked_at(&it->out, n, block);
        for (int c = fan->first; c < fan->last; c += it->lanes) {
            products.x_at = blocked_at(&it->in, n, c / it->lanes);
            size_t at = fan->at + (size_t)(c - fan->first);
            job->vec->pointwise_dw[it->in.bf16](&products, sums + at * (size_t)it->lanes);
        }
    }
}

static void sum_chunks(const void *context, int begin, int end) {
    const struct sum_job *job = context;
    const struct pointwise *it = job->it;
    int chunks = chunks_of(it);
    for (int chunk = begin; chunk < end; chunk++) {
        float *sums = job->sums + (size_t)chunk * it->vectors * (size_t)it->lanes;
        memset(sums, 0, packed_bytes(it));
        for (int n = it->in.n * chunk / chunks; n < it->in.n * (chunk + 1) / chunks; n++)
            sum_picture(job, n, sums);
    }
}

/* Chunks are put together in order. */
static void gather(const void *context, int begin, int end) {
    const struct sum_job *job = context;
    const struct pointwise *it = job->it;
    size_t stride = it->vectors * (size_t)it->lanes;
    int chunks = chunks_of(it), out, in;
    for (int k = begin; k < end; k++)
        for (int i = 0; i < it->weight.c; i++) {
            float sum = 0;
            channels_of(it, k, i, &out, &in);
            for (int chunk = 0; chunk < chunks; chunk++)
                sum += job->sums[(size_t)chunk * stride + packed_at(it, out, in)];
            job->dweight[(size_t)k * (size_t)it->weight.c + (size_t)i] = sum;
        }
}

static void run_weights(struct pointwise *it, const struct kernel_args *args) {
    struct sum_job job = {.it = it,
                          .vec = cpu_of(args->context)->vec,
                          .x = args->in[1],
                          .dy = args->in[0],
                          .sums = args->workspace,
                          .dweight = args->out[0]};
    size_t elements = blocked_count(&it->in) + blocked_count(&it->out);
    parallel_run(it->threads, chunks_of(it), elements, sum_chunks, &job);
    parallel_run(it->threads, it->weight.n, it->vectors * (size_t)it->lanes, gather, &job);
}

static void pointwise_run(void *state, const struct kernel_args *args) {
    struct pointwise *it = state;
    (it->direction == DNN_BACKWARD_WEIGHTS ? run_weights : run_data)(it, args);
}

const struct conv_way conv_pointwise = {.fits = pointwise_fits,
                                        .create = pointwise_create,
                                        .refresh = pointwise_refresh,
                                        .run = pointwise_run,
                                        .free = pointwise_free};
