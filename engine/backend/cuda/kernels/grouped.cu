/*
 * 1x1 convolutions with groups, and their gradients: a matrix product a group, in f32, by tiles of
 * ROWS x COLUMNS numbers. A block goes over the inner dimension in steps through shared memory, a
 * thread has MICRO x MICRO sums. The weights' gradient, whose inner dimension is all pixels, is
 * summed over chunks of them first, then over the chunks, both in a fixed order.
 *
 *     forward   rows pixels, columns outputs, inner inputs of a group
 *     dx        rows pixels, columns inputs, inner outputs
 *     dw        rows outputs, columns inputs, inner pixels
 */
#include "engine/backend/cuda/kernels/columns.cuh"
#include "engine/backend/cuda/kernels/conv.cuh"

#include <algorithm>
#include <type_traits>

enum { ROWS = 64, COLUMNS = 32, STEP = 16, MICRO = 4 };
enum { THREADS_OF_ROW = COLUMNS / MICRO, THREADS = ROWS / MICRO * THREADS_OF_ROW };

/* The order of dw's sums follows the shape alone. */
static constexpr uint32_t DW_BLOCKS = 264, DW_PIXELS_MIN = 8 * STEP;

/* A factor: numbers between neighbours along its long dimension (the other is dense), and between
 * groups. */
struct factor {
    const void *data;
    uint32_t stride, group;
};

struct grouped_args {
    struct factor a, b;
    const void *residual;
    const float *bias;
    void *c;
    uint32_t c_row, c_group, c_chunk; /* numbers between rows, groups and chunks */
    int rows, columns, inner, chunk, groups;
    int act;
};

/* Fills to[l][i] with element i of inner element l, zeros outside. DENSE says along what the factor
 * is dense: neighbouring threads follow it. */
enum dense { ALONG_INNER, ALONG_SIDE };
template <int SIDE, enum dense DENSE, class T>
__device__ static void load_tile(float (&to)[STEP][SIDE + MICRO], const T *from, uint32_t stride,
                                 int first, int count, int inner, int inner_end) {
    for (int i = threadIdx.x; i < STEP * SIDE; i += THREADS) {
        int l = DENSE == ALONG_INNER ? i % STEP : i / SIDE;
        int at = DENSE == ALONG_INNER ? i / STEP : i % SIDE;
        uint32_t along = inner + l, side = first + at;
        bool inside = inner + l < inner_end && first + at < count;
        uint32_t index = DENSE == ALONG_INNER ? side * stride + along : along * stride + side;
        to[l][at] = inside ? load(from[index]) : 0.0f;
    }
}

/* Where a block works: its tile, its group, its inner elements. */
struct tile {
    int row, column, group, inner, inner_end;
};

__device__ static tile tile_of(const grouped_args &args) {
    int across = (args.columns + COLUMNS - 1) / COLUMNS, block = blockIdx.x;
    tile t;
    t.column = block % across * COLUMNS;
    t.group = block / across % args.groups;
    t.row = block / across / args.groups * ROWS;
    t.inner = blockIdx.y * args.chunk;
    t.inner_end = min(t.inner + args.chunk, args.inner);
    return t;
}

template <class C>
__device__ static void store_tile(const grouped_args &args, const tile &t,
                                  float (&sum)[MICRO][MICRO]) {
    int row = t.row + (int)threadIdx.x / THREADS_OF_ROW * MICRO;
    int column = t.column + (int)threadIdx.x % THREADS_OF_ROW * MICRO;
    const C *residual = (const C *)args.residual;
    C *c = (C *)args.c + blockIdx.y * args.c_chunk;
    for (int i = 0; i < MICRO; i++)
#pragma unroll
        for (int j = 0; j < MICRO; j++) {
            if (row + i >= args.rows || column + j >= args.columns)
                continue;
            uint32_t place = t.group * args.c_group + column + j;
            uint32_t at = (uint32_t)(row + i) * args.c_row + place;
            float y = sum[i][j] + (args.bias ? args.bias[place] : 0.0f);
            store(c[at], activate(y + (residual ? load(residual[at]) : 0.0f), args.act));
        }
}

template <class A, class B, class C, enum dense DENSE_A, enum dense DENSE_B>
__global__ void __launch_bounds__(THREADS) grouped_product(grouped_args args) {
    alignas(PACK_BYTES) __shared__ float a[STEP][ROWS + MICRO], b[STEP][COLUMNS + MICRO];
    const A *from_a;
    const B *from_b;
    tile t = tile_of(args);
    int row = threadIdx.x / THREADS_OF_ROW * MICRO, column = threadIdx.x % THREADS_OF_ROW * MICRO;
    float sum[MICRO][MICRO] = {};
    from_a = (const A *)args.a.data + t.group * args.a.group;
    from_b = (const B *)args.b.data + t.group * args.b.group;
    for (int inner = t.inner; inner < t.inner_end; inner += STEP) {
        load_tile<ROWS, DENSE_A>(a, from_a, args.a.stride, t.row, args.rows, inner, t.inner_end);
        load_tile<COLUMNS, DENSE_B>(b, from_b, args.b.stride, t.column, args.columns, inner,
                                    t.inner_end);
        __syncthreads();
#pragma unroll
        for (int l = 0; l < STEP; l++) {
            float left[MICRO], right[MICRO];
            load_pack(left, &a[l][row]);
            load_pack(right, &b[l][column]);
#pragma unroll
            for (int i = 0; i < MICRO; i++)
#pragma unroll
                for (int j = 0; j < MICRO; j++)
                    sum[i][j] = fmaf(left[i], right[j], sum[i][j]);
        }
        __syncthreads();
    }
    store_tile<C>(args, t, sum);
}

static uint32_t tiles_of(int rows, int columns, int groups) {
    return (uint32_t)((rows + ROWS - 1) / ROWS * ((columns + COLUMNS - 1) / COLUMNS) * groups);
}

template <class A, class B, class C, enum dense DENSE_A, enum dense DENSE_B>
static void launch_grouped(const struct queue *queue, const grouped_args &args) {
    typedef std::decay_t<A> TypeA;
    typedef std::decay_t<B> TypeB;
    typedef std::decay_t<C> TypeC;
    dim3 grid(tiles_of(args.rows, args.columns, args.groups),
              (unsigned)((args.inner + args.chunk - 1) / args.chunk));
    LAUNCH_BLOCK((grouped_product<TypeA, TypeB, TypeC, DENSE_A, DENSE_B>), grid, THREADS, queue,
                 args);
}

/* --- the three passes --- */

static void grouped(const struct queue *queue, const struct conv_args *args) {
    int cg = args->c / args->groups, kg = args->k / args->groups;
    struct grouped_args product = {};
    product.a = factor{args->x.data, (uint32_t)args->c, (uint32_t)cg};
    product.b = factor{args->weight, (uint32_t)cg, (uint32_t)(kg * cg)};
    product.residual = args->residual.data;
    product.bias = args->bias;
    product.c = args->y.data;
    product.c_row = args->k;
    product.c_group = kg;
    product.rows = args->n * args->h * args->w;
    product.columns = kg;
    product.inner = product.chunk = cg;
    product.groups = args->groups;
    product.act = args->act;
    with_types(args->x, args->y, [&](auto x, auto y) {
        launch_grouped<decltype(*x), float, decltype(*y), ALONG_INNER, ALONG_INNER>(queue, product);
    });
}

static void grouped_dx(const struct queue *queue, const struct conv_args *args) {
    int cg = args->c / args->groups, kg = args->k / args->groups;
    struct grouped_args product = {};
    product.a = factor{args->y.data, (uint32_t)args->k, (uint32_t)kg};
    product.b = factor{args->weight, (uint32_t)cg, (uint32_t)(kg * cg)};
    product.c = args->x.data;
    product.c_row = args->c;
    product.c_group = cg;
    product.rows = args->n * args->h * args->w;
    product.columns = cg;
    product.inner = product.chunk = kg;
    product.groups = args->groups;
    if (args->y.bf16)
        launch_grouped<bf16, float, bf16, ALONG_INNER, ALONG_SIDE>(queue, product);
    else
        launch_grouped<float, float, float, ALONG_INNER, ALONG_SIDE>(queue, product);
}

/* Pixels of a chunk of dw: whole steps. */
static int dw_chunk(const struct conv_args *args) {
    uint32_t pixels = (uint32_t)(args->n * args->h * args->w);
    uint32_t tiles = tiles_of(args->k / args->groups, args->c / args->groups, args->groups);
    uint32_t chunks = std::min(DW_BLOCKS / tiles, pixels / DW_PIXELS_MIN);
    chunks = chunks < 1 ? 1 : chunks;
    return (int)((pixels + chunks * STEP - 1) / (chunks * STEP) * STEP);
}

static uint32_t dw_chunks(const struct conv_args *args) {
    int chunk = dw_chunk(args);
    return (uint32_t)((args->n * args->h * args->w + chunk - 1) / chunk);
}

static uint32_t weights_of(const struct conv_args *args) {
    return (uint32_t)(args->k * (args->c / args->groups));
}

static size_t grouped_dw_workspace_bytes(const struct conv_args *args) {
    return sizeof(float) * dw_chunks(args) * weights_of(args);
}

static void grouped_dw(const struct queue *queue, const struct conv_args *args) {
    int cg = args->c / args->groups, kg = args->k / args->groups;
    struct grouped_args product = {};
    product.a = factor{args->y.data, (uint32_t)args->k, (uint32_t)kg};
    product.b = factor{args->x.data, (uint32_t)args->c, (uint32_t)cg};
    product.c = args->workspace;
    product.c_row = cg;
    product.c_group = kg * cg;
    product.c_chunk = weights_of(args);
    product.rows = kg;
    product.columns = cg;
    product.inner = args->n * args->h * args->w;
    product.chunk = dw_chunk(args);
    product.groups = args->groups;
    with_types(args->y, args->x, [&](auto dy, auto x) {
        launch_grouped<decltype(*dy), decltype(*x), float, ALONG_SIDE, ALONG_SIDE>(queue, product);
    });
    launch_finish(queue, (const float *)args->workspace, dw_chunks(args), weights_of(args),
                  column_sums{args->dweight, nullptr, weights_of(args)});
}

static bool grouped_fits(const struct conv_args *args) {
    return args->r == 1 && args->s == 1 && args->stride == 1 && args->pad == 0;
}

const struct conv_kind conv_grouped = {grouped_fits, grouped, grouped_dx, grouped_dw,
                                       grouped_dw_workspace_bytes};
