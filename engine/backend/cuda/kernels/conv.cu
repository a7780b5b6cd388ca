/*
 * Own convolutions: the first kind that fits is taken. The last one, here, fits always: a thread
 * for a number, of every size. The weights' gradient is summed over chunks of pixels first, then
 * over the chunks, both in a fixed order.
 */
#include "engine/backend/cuda/kernels/columns.cuh"
#include "engine/backend/cuda/kernels/conv.cuh"

static constexpr uint32_t DW_THREADS = 1 << 16, DW_CHUNKS_MAX = 256, DW_PIXELS_MIN = 16;

struct place {
    int n, h, w;
};

__device__ static place place_of(uint32_t pixel, int height, int width) {
    return place{(int)(pixel / (height * width)), (int)(pixel / width % height),
                 (int)(pixel % width)};
}

template <class From, class To> __global__ void conv(conv_args args, const From *x, To *y) {
    const To *residual = (const To *)args.residual.data;
    int cg = args.c / args.groups, kg = args.k / args.groups;
    GRID_LOOP(i, (uint32_t)(args.n * args.yh * args.yw * args.k)) {
        int k = i % args.k, first = k / kg * cg;
        place to = place_of(i / args.k, args.yh, args.yw);
        float sum = args.bias ? args.bias[k] : 0.0f;
        for (int r = 0; r < args.r; r++)
            for (int s = 0; s < args.s; s++) {
                int h = to.h * args.stride - args.pad + r, w = to.w * args.stride - args.pad + s;
                if (h < 0 || h >= args.h || w < 0 || w >= args.w)
                    continue;
                const From *from =
                    x + ((uint32_t)(to.n * args.h + h) * args.w + w) * args.c + first;
                const float *weight = args.weight + ((uint32_t)(k * args.r + r) * args.s + s) * cg;
                for (int c = 0; c < cg; c++)
                    sum = fmaf(load(from[c]), weight[c], sum);
            }
        if (residual)
            sum += load(residual[i]);
        store(y[i], activate(sum, args.act));
    }
}

template <class T> __global__ void conv_dx(conv_args args, const T *dy, T *dx) {
    int cg = args.c / args.groups, kg = args.k / args.groups;
    GRID_LOOP(i, (uint32_t)(args.n * args.h * args.w * args.c)) {
        int c = i % args.c, first = c / cg * kg;
        place to = place_of(i / args.c, args.h, args.w);
        float sum = 0;
        for (int r = 0; r < args.r; r++)
            for (int s = 0; s < args.s; s++) {
                int h = to.h + args.pad - r, w = to.w + args.pad - s;
                if (h < 0 || w < 0 || h % args.stride || w % args.stride)
                    continue;
                h /= args.stride;
                w /= args.stride;
                if (h >= args.yh || w >= args.yw)
                    continue;
                const T *from =
                    dy + ((uint32_t)(to.n * args.yh + h) * args.yw + w) * args.k + first;
                for (int k = 0; k < kg; k++)
                    sum =
                        fmaf(load(from[k]),
                             args.weight[((uint32_t)((first + k) * args.r + r) * args.s + s) * cg +
                                         c % cg],
                             sum);
            }
        store(dx[i], sum);
    }
}

static uint32_t dw_chunks(const struct conv_args *args) {
    uint32_t weights = (uint32_t)(args->k * args->r * args->s * (args->c / args->groups));
    uint32_t useful = (uint32_t)(args->n * args->yh * args->yw) / DW_PIXELS_MIN;
    uint32_t chunks = DW_THREADS / weights;
    chunks = chunks > useful ? useful : chunks;
    return chunks < 1 ? 1 : chunks > DW_CHUNKS_MAX ? DW_CHUNKS_MAX : chunks;
}

/* Thread i has weight (r, s, c, k) with k fastest, because k is what dy has neighbours in. */
template <class X, class Y>
__global__ void conv_dw(conv_args args, const X *x, const Y *dy, float *partial, uint32_t chunks) {
    int cg = args.c / args.groups, kg = args.k / args.groups;
    uint32_t weights = (uint32_t)(args.k * args.r * args.s * cg);
    uint32_t pixels = (uint32_t)(args.n * args.yh * args.yw);
    uint32_t each = (pixels + chunks - 1) / chunks, begin = blockIdx.y * each;
    uint32_t end = min(begin + each, pixels);
    GRID_LOOP(i, weights) {
        int k = i % args.k, c = i / args.k % cg, tap = i / (args.k * cg);
        int r = tap / args.s, s = tap % args.s, from = k / kg * cg + c;
        float sum = 0;
        for (uint32_t pixel = begin; pixel < end; pixel++) {
            place at = place_of(pixel, args.yh, args.yw);
            int h = at.h * args.stride - args.pad + r, w = at.w * args.stride - args.pad + s;
            if (h >= 0 && h < args.h && w >= 0 && w < args.w)
                sum = fmaf(load(dy[pixel * args.k + k]),
                           load(x[((uint32_t)(at.n * args.h + h) * args.w + w) * args.c + from]),
                           sum);
        }
        uint32_t krsc = ((uint32_t)(k * args.r + r) * args.s + s) * cg + c;
        partial[blockIdx.y * weights + krsc] = sum;
    }
}

static void plain(const struct queue *queue, const struct conv_args *args) {
    unsigned blocks = loop_blocks(queue, (uint32_t)(args->n * args->yh * args->yw * args->k));
    with_types(args->x, args->y,
               [&](auto x, auto y) { LAUNCH(conv, blocks, BLOCK, queue, *args, x, y); });
}

static void plain_dx(const struct queue *queue, const struct conv_args *args) {
    unsigned blocks = loop_blocks(queue, (uint32_t)(args->n * args->h * args->w * args->c));
    if (args->y.bf16)
        LAUNCH(conv_dx, blocks, BLOCK, queue, *args, (const bf16 *)args->y.data,
               (bf16 *)args->x.data);
    else
        LAUNCH(conv_dx, blocks, BLOCK, queue, *args, (const float *)args->y.data,
               (float *)args->x.data);
}

static size_t plain_dw_workspace_bytes(const struct conv_args *args) {
    return sizeof(float) * dw_chunks(args) *
           (size_t)(args->k * args->r * args->s * (args->c / args->groups));
}

static void plain_dw(const struct queue *queue, const struct conv_args *args) {
    uint32_t weights = (uint32_t)(args->k * args->r * args->s * (args->c / args->groups));
    uint32_t chunks = dw_chunks(args);
    dim3 grid((weights + BLOCK - 1) / BLOCK, chunks);
    float *partial = (float *)args->workspace;
    with_types(args->x, args->y, [&](auto x, auto dy) {
        LAUNCH(conv_dw, grid, BLOCK, queue, *args, x, dy, partial, chunks);
    });
    launch_finish(queue, partial, chunks, weights, column_sums{args->dweight, nullptr, weights});
}

/* --- which --- */

static bool fits_always(const struct conv_args *) {
    return true;
}

static const struct conv_kind conv_plain = {fits_always, plain, plain_dx, plain_dw,
                                            plain_dw_workspace_bytes};

static const struct conv_kind &kind_of(const struct conv_args *args) {
    static const struct conv_kind *const special[] = {&conv_depthwise, &conv_grouped};
    for (const struct conv_kind *kind : special)
        if (kind->fits(args))
            return *kind;
    return conv_plain;
}

extern "C" void launch_conv(const struct queue *queue, const struct conv_args *args) {
    kind_of(args).forward(queue, args);
}

extern "C" void launch_conv_dx(const struct queue *queue, const struct conv_args *args) {
    kind_of(args).dx(queue, args);
}

extern "C" size_t launch_conv_dw_workspace_bytes(const struct queue *queue,
                                                 const struct conv_args *args) {
    (void)queue;
    return kind_of(args).dw_workspace_bytes(args);
}

extern "C" void launch_conv_dw(const struct queue *queue, const struct conv_args *args) {
    kind_of(args).dw(queue, args);
}
