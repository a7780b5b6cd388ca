/*
 * Depthwise 3x3 convolutions, and their gradients, in NHWC: stencils that wait for memory.
 *
 * A thread has a pack of up to 16 bytes of neighbouring channels and goes from strip to strip, some
 * neighbours of a row of the output each: a pixel that is read serves all outputs of the strip from
 * registers. The block's weights lie in shared memory as [tap][channel], because those
 * of a thread, 9 x 8 floats, would leave it too few registers for loads in flight. A block has
 * neighbouring strips, so that rows that are read again, by the rows below, are in L1.
 *
 * Bytes: forward and dx read one side of the conv once and write the other once (36 bytes of
 * weights a channel come on top), dw reads both: the least there is. Of L1, a strip asks for 4.5
 * pixels an output (7.5 with stride 2; dx of stride 2: 1.1 an output).
 *
 * MobileNetV2 at 224 pixels, batch 64, bf16, MB of x and y together: 112 pixels: 32 channels 103,
 * 96 with stride 2 193; 56: 144 116, with stride 2 72; 28: 192 39 (2 layers), with stride 2 24; 14:
 * 384 19 (4 layers), 576 29 (2), with stride 2 18; 7: 960 12 (3). In all 774, and as much for dx
 * and dw. As designed over least: forward and dx 1.00, with weights 1.01 at most; dw 1.00 to 1.33
 * (960 channels), since each of up to DW_BLOCKS blocks writes its sums, at most 2.4 MB in all, to
 * be read.
 */
#include "engine/backend/cuda/kernels/columns.cuh"
#include "engine/backend/cuda/kernels/conv.cuh"

#include <algorithm>

enum { TAPS = 3 };

/* Blocks of forward and dx, which add nothing up, follow the device; those of dw decide in what
 * order sums are added, so they follow the shape alone. */
static constexpr uint32_t BLOCKS_OF_PROCESSOR = 4, DW_BLOCKS = 264, DW_STRIPS_MIN = 4;

/* As with_type, but with smaller packs too: ShuffleNets have 58 and 116 channels. */
template <class F> static void with_pack(bool is_bf16, int channels, F f) {
    if (!is_bf16 && channels % 4 == 0)
        f(number_type<float, 4>{});
    else if (!is_bf16)
        f(number_type<float, 2>{});
    else if (channels % 8 == 0)
        f(number_type<bf16, 8>{});
    else if (channels % 4 == 0)
        f(number_type<bf16, 4>{});
    else
        f(number_type<bf16, 2>{});
}

/* --- strips --- */

/* A block is lanes x rows: a lane has a pack of channels, a row a strip. */
struct strips {
    uint32_t lanes, rows, tiles; /* tiles: blocks that share the channels */
    uint32_t across, count;      /* strips of a row of pixels, and of all rows */
    uint32_t chunk, chunks;      /* strips of a block; blocks that share the strips */
};

/* At most `blocks` blocks in all, each row of a block with `least` strips or more. */
static struct strips strips_of(int packs, int pixels, int n, int h, int w, uint32_t blocks,
                               uint32_t least) {
    struct strips s;
    s.tiles = (uint32_t)(packs + WARP - 1) / WARP;
    s.lanes = (packs + s.tiles - 1) / s.tiles;
    s.rows = BLOCK / s.lanes;
    s.across = (uint32_t)(w + pixels - 1) / pixels;
    s.count = s.across * (uint32_t)(n * h);
    uint32_t most = blocks / s.tiles, useful = s.count / (s.rows * least);
    s.chunks = most < useful ? most : useful;
    s.chunks = s.chunks < 1 ? 1 : s.chunks;
    s.chunk = (s.count + s.chunks - 1) / s.chunks;
    s.chunks = (s.count + s.chunk - 1) / s.chunk;
    return s;
}

struct strip {
    int n, h, w;
};

template <int P> __device__ static strip strip_at(const strips &s, uint32_t i, int height) {
    uint32_t row = i / s.across;
    return strip{(int)(row / height), (int)(row % height), (int)(i % s.across) * P};
}

/* --- forward, and the gradient of x --- */

/* Which pixels a strip is made of, by which taps. The gradient of stride 1 is a forward conv with
 * its taps turned round. */
template <int STRIDE> struct forward {
    static constexpr int PIXELS = 4 / STRIDE; /* more of stride 2 would not fit into registers */
    static constexpr int COLUMNS = (PIXELS - 1) * STRIDE + TAPS, STEP = 1;
    __device__ static constexpr int first_tap(int) {
        return 0;
    }
    __device__ static constexpr int row(int h, int r, int pad) {
        return h * STRIDE - pad + r;
    }
    __device__ static constexpr int column(int w, int pad) {
        return w * STRIDE - pad;
    }
    __device__ static constexpr int tap(int column, int pixel) {
        return column - pixel * STRIDE;
    }
};

/* The gradient of stride 2 and padding 1: every other tap meets a pixel. */
struct backward {
    static constexpr int PIXELS = 4;
    static constexpr int COLUMNS = PIXELS / 2 + 1, STEP = 2;
    __device__ static constexpr int first_tap(int h) {
        return (h + 1) % 2;
    }
    __device__ static constexpr int row(int h, int r, int) {
        return (h + 1 - r) / 2;
    }
    __device__ static constexpr int column(int w, int) {
        return w / 2;
    }
    __device__ static constexpr int tap(int column, int pixel) {
        return pixel + 1 - 2 * column;
    }
};

struct stencil_args {
    const void *from, *residual;
    void *to;
    const float *weight, *bias;
    int from_h, from_w, h, w, c, pad, act;
    bool turned;
    struct strips strips;
};

/* A row more than lanes: a warp's writes then fall on more banks. */
template <int V> struct stencil_weights { pack<float, V> at[TAPS * TAPS][WARP + 1]; };

template <int V>
__device__ static void load_weights(stencil_weights<V> &to, const stencil_args &args) {
    uint32_t first = blockIdx.x * args.strips.lanes * V, count = args.strips.lanes * V;
    count = min(count, args.c - first) * TAPS * TAPS;
    for (uint32_t i = threadIdx.x; i < count; i += blockDim.x) {
        uint32_t c = i / (TAPS * TAPS), tap = i % (TAPS * TAPS);
        float weight = args.weight[first * TAPS * TAPS + i];
        to.at[args.turned ? TAPS * TAPS - 1 - tap : tap][c / V].at[c % V] = weight;
    }
}

/* Adds what row r of the taps gives; pixels outside of the picture are zeros. */
template <class T, int V, class G>
__device__ static void add_row(float (&sum)[G::PIXELS][V], const stencil_args &args,
                               const stencil_weights<V> &weights, const strip &at, int r, int lane,
                               int c) {
    int h = G::row(at.h, r, args.pad), w = G::column(at.w, args.pad);
    if (h < 0 || h >= args.from_h)
        return;
    const T *from = (const T *)args.from + (at.n * args.from_h + h) * args.from_w * args.c + c;
    pack<T, V> in[G::COLUMNS];
#pragma unroll
    for (int q = 0; q < G::COLUMNS; q++) {
        in[q] = pack<T, V>{};
        if (w + q >= 0 && w + q < args.from_w)
            in[q] = *(const pack<T, V> *)(from + (w + q) * args.c);
    }
#pragma unroll
    for (int s = 0; s < TAPS; s++) {
        pack<float, V> weight = weights.at[r * TAPS + s][lane];
#pragma unroll
        for (int p = 0; p < G::PIXELS; p++)
#pragma unroll
            for (int q = 0; q < G::COLUMNS; q++)
#pragma unroll
                for (int v = 0; v < V; v++)
                    if (G::tap(q, p) == s)
                        sum[p][v] = fmaf(load(in[q].at[v]), weight.at[v], sum[p][v]);
    }
}

template <class T, int V, int P>
__device__ static void store_strip(float (&sum)[P][V], const stencil_args &args, const strip &at,
                                   int c) {
    uint32_t first = ((uint32_t)(at.n * args.h + at.h) * args.w + at.w) * args.c + c;
    const T *residual = (const T *)args.residual;
    float bias[V] = {0};
    if (args.bias)
        load_pack(bias, args.bias + c);
#pragma unroll
    for (int p = 0; p < P; p++) {
        float other[V] = {0};
        if (at.w + p >= args.w)
            break;
        if (residual)
            load_pack(other, residual + first + p * args.c);
#pragma unroll
        for (int v = 0; v < V; v++)
            sum[p][v] = activate(sum[p][v] + bias[v] + other[v], args.act);
        store_pack((T *)args.to + first + p * args.c, sum[p]);
    }
}

template <class T, int V, class G>
__global__ void __launch_bounds__(BLOCK, 2) stencil(stencil_args args) {
    __shared__ stencil_weights<V> weights;
    const strips &s = args.strips;
    uint32_t lane = threadIdx.x % s.lanes, end = min((blockIdx.y + 1) * s.chunk, s.count);
    int c = (blockIdx.x * s.lanes + lane) * V;
    load_weights<V>(weights, args);
    __syncthreads();
    if (c >= args.c)
        return;
    for (uint32_t i = blockIdx.y * s.chunk + threadIdx.x / s.lanes; i < end; i += s.rows) {
        strip at = strip_at<G::PIXELS>(s, i, args.h);
        float sum[G::PIXELS][V] = {};
#pragma unroll 1
        for (int r = G::first_tap(at.h); r < TAPS; r += G::STEP)
            add_row<T, V, G>(sum, args, weights, at, r, lane, c);
        store_strip<T, V>(sum, args, at, c);
    }
}

template <class G>
static void launch_stencil(const struct queue *queue, stencil_args args, int n, bool is_bf16) {
    with_pack(is_bf16, args.c, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        uint32_t blocks = (uint32_t)queue->processors * BLOCKS_OF_PROCESSOR;
        args.strips = strips_of(args.c / V, G::PIXELS, n, args.h, args.w, blocks, 1);
        dim3 grid(args.strips.tiles, args.strips.chunks);
        unsigned threads = args.strips.lanes * args.strips.rows;
        LAUNCH_BLOCK((stencil<T, V, G>), grid, threads, queue, args);
    });
}

static void depthwise(const struct queue *queue, const struct conv_args *args) {
    struct stencil_args stencil = {args->x.data, args->residual.data,
                                   args->y.data, args->weight,
                                   args->bias,   args->h,
                                   args->w,      args->yh,
                                   args->yw,     args->c,
                                   args->pad,    args->act,
                                   false,        {}};
    if (args->stride == 1)
        launch_stencil<forward<1>>(queue, stencil, args->n, args->x.bf16);
    else
        launch_stencil<forward<2>>(queue, stencil, args->n, args->x.bf16);
}

static void depthwise_dx(const struct queue *queue, const struct conv_args *args) {
    bool turned = args->stride == 1;
    struct stencil_args stencil = {args->y.data,
                                   nullptr,
                                   args->x.data,
                                   args->weight,
                                   nullptr,
                                   args->yh,
                                   args->yw,
                                   args->h,
                                   args->w,
                                   args->c,
                                   TAPS - 1 - args->pad,
                                   LAUNCH_ACT_NONE,
                                   turned,
                                   {}};
    if (turned)
        launch_stencil<forward<1>>(queue, stencil, args->n, args->y.bf16);
    else
        launch_stencil<backward>(queue, stencil, args->n, args->y.bf16);
}

/* --- gradient of the weights --- */

/* Where sums of [tap][channel] go: to [channel][tap]. */
struct tap_sums {
    float *out;
    uint32_t channels;
    __device__ void operator()(uint32_t i, float sum) const {
        out[i % channels * TAPS * TAPS + i / channels] = sum;
    }
};

struct dw_args {
    const void *x, *dy;
    float *partial;
    int h, w, yh, yw, c, pad;
    struct strips strips;
};

/* Adds a strip's part: every pixel of x times those of dy that it meets. */
template <class T, int V, int P, int STRIDE>
__device__ static void add_strip(float (&sum)[TAPS * TAPS][V], const dw_args &args, const strip &at,
                                 int c) {
    pack<T, V> g[P];
    const T *dy = (const T *)args.dy + ((at.n * args.yh + at.h) * args.yw + at.w) * args.c + c;
#pragma unroll
    for (int p = 0; p < P; p++)
        g[p] = at.w + p < args.yw ? *(const pack<T, V> *)(dy + p * args.c) : pack<T, V>{};
#pragma unroll
    for (int r = 0; r < TAPS; r++) {
        int h = at.h * STRIDE - args.pad + r, w = at.w * STRIDE - args.pad;
        if (h < 0 || h >= args.h)
            continue;
        const T *from = (const T *)args.x + (at.n * args.h + h) * args.w * args.c + c;
#pragma unroll
        for (int q = 0; q < (P - 1) * STRIDE + TAPS; q++) {
            float x[V] = {0};
            if (w + q >= 0 && w + q < args.w)
                load_pack(x, from + (w + q) * args.c);
#pragma unroll
            for (int p = 0; p < P; p++)
#pragma unroll
                for (int s = 0; s < TAPS; s++)
#pragma unroll
                    for (int v = 0; v < V; v++)
                        if (p * STRIDE + s == q)
                            sum[r * TAPS + s][v] =
                                fmaf(x[v], load(g[p].at[v]), sum[r * TAPS + s][v]);
        }
    }
}

/* Sums of a block's rows, one after the other, as partial[chunk][tap][channel]; a row of taps at a
 * time, which is what shared memory holds. */
template <int V>
__device__ static void store_taps(const float (&sum)[TAPS * TAPS][V], const dw_args &args) {
    __shared__ float part[TAPS * V][BLOCK];
    const strips &t = args.strips;
    uint32_t tile = t.lanes * V, first = blockIdx.x * tile;
#pragma unroll
    for (int r = 0; r < TAPS; r++) {
        __syncthreads();
#pragma unroll
        for (int i = 0; i < TAPS * V; i++)
            part[i][threadIdx.x] = sum[r * TAPS + i / V][i % V];
        __syncthreads();
        for (uint32_t i = threadIdx.x; i < TAPS * tile; i += blockDim.x) {
            uint32_t s = i / tile, c = i % tile, tap = r * TAPS + s;
            const float *from = &part[s * V + c % V][c / V];
            float total = 0;
            for (uint32_t row = 0; row < t.rows; row++)
                total += from[row * t.lanes];
            if (first + c < (uint32_t)args.c)
                args.partial[(blockIdx.y * TAPS * TAPS + tap) * args.c + first + c] = total;
        }
    }
}

template <class T, int V, int P, int STRIDE>
__global__ void __launch_bounds__(BLOCK, 2) depthwise_dw_sums(dw_args args) {
    const strips &t = args.strips;
    uint32_t lane = threadIdx.x % t.lanes, end = min((blockIdx.y + 1) * t.chunk, t.count);
    int c = (blockIdx.x * t.lanes + lane) * V;
    float sum[TAPS * TAPS][V] = {};
    for (uint32_t i = blockIdx.y * t.chunk + threadIdx.x / t.lanes; c < args.c && i < end;
         i += t.rows)
        add_strip<T, V, P, STRIDE>(sum, args, strip_at<P>(t, i, args.yh), c);
    store_taps<V>(sum, args);
}

/* Sums of nine taps take the registers of the wide packs' longer strips. */
static constexpr int dw_pixels(int width) {
    return width > 4 ? 2 : 4;
}

static struct strips dw_strips(const struct conv_args *args, int width) {
    return strips_of(args->c / width, dw_pixels(width), args->n, args->yh, args->yw, DW_BLOCKS,
                     DW_STRIPS_MIN);
}

/* For either type of numbers. */
static size_t depthwise_dw_workspace_bytes(const struct conv_args *args) {
    uint32_t chunks = 0;
    for (int is_bf16 = 0; is_bf16 < 2; is_bf16++)
        with_pack(is_bf16, args->c, [&](auto type) {
            chunks = std::max(chunks, dw_strips(args, decltype(type)::width).chunks);
        });
    return sizeof(float) * TAPS * TAPS * chunks * (size_t)args->c;
}

static void depthwise_dw(const struct queue *queue, const struct conv_args *args) {
    struct dw_args dw = {args->x.data,
                         args->y.data,
                         (float *)args->workspace,
                         args->h,
                         args->w,
                         args->yh,
                         args->yw,
                         args->c,
                         args->pad,
                         {}};
    with_pack(args->x.bf16, args->c, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width, P = dw_pixels(V);
        dw.strips = dw_strips(args, V);
        dim3 grid(dw.strips.tiles, dw.strips.chunks);
        unsigned threads = dw.strips.lanes * dw.strips.rows;
        if (args->stride == 1)
            LAUNCH_BLOCK((depthwise_dw_sums<T, V, P, 1>), grid, threads, queue, dw);
        else
            LAUNCH_BLOCK((depthwise_dw_sums<T, V, P, 2>), grid, threads, queue, dw);
    });
    launch_finish(queue, dw.partial, dw.strips.chunks, TAPS * TAPS * (uint32_t)args->c,
                  tap_sums{args->dweight, (uint32_t)args->c});
}

static bool depthwise_fits(const struct conv_args *args) {
    bool rows = (args->stride == 1 && args->pad < TAPS) || (args->stride == 2 && args->pad == 1);
    bool each = args->groups == args->c && args->k == args->c;
    return rows && each && args->r == TAPS && args->s == TAPS && args->c % 2 == 0;
}

const struct conv_kind conv_depthwise = {depthwise_fits, depthwise, depthwise_dx, depthwise_dw,
                                         depthwise_dw_workspace_bytes};
