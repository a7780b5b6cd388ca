/*
 * columns.cuh - sums over pixels (or tokens) for each channel, as norms and gradients of biases and
 * scales need them, in a fixed order: first over chunks of pixels, then over the chunks.
 *
 * A block is lanes x rows: a lane has V neighbouring channels, a row a pixel. How pixels are cut
 * into chunks depends on the shape alone, so that every device of an architecture gives the same
 * bytes.
 *
 * Who adds up the chunks in every block reads, in all, blocks x chunks x tile sums: that is why
 * tiles are narrow, the 64 bytes that memory delivers at once, and why there are as many blocks as
 * an H100 has multiprocessors, but large ones. A thread asks for some pixels before it uses the
 * first, because a multiprocessor must have about 20 KB on the way to keep up with memory.
 */
#ifndef ENGINE_BACKEND_CUDA_KERNELS_COLUMNS_CUH
#define ENGINE_BACKEND_CUDA_KERNELS_COLUMNS_CUH

#include "engine/backend/cuda/kernels/device.cuh"

static constexpr uint32_t COLUMN_THREADS = 512, COLUMN_BLOCKS = 132, PIXELS_OF_ROW = 2;

struct tiling {
    uint32_t lanes, rows, tiles, chunk, chunks;
};

static struct tiling tiling_of(struct extent extent, int width) {
    struct tiling t = {1, 0, 0, 0, 0};
    uint32_t lanes_most = width > 1 ? 64 / PACK_BYTES : WARP;
    while (t.lanes < lanes_most && t.lanes * width < extent.channels)
        t.lanes *= 2;
    t.rows = COLUMN_THREADS / t.lanes;
    t.tiles = (extent.channels + t.lanes * width - 1) / (t.lanes * width);
    uint32_t most = COLUMN_BLOCKS / t.tiles, useful = extent.pixels / (t.rows * PIXELS_OF_ROW);
    uint32_t chunks = most < useful ? most : useful;
    chunks = chunks < 1 ? 1 : chunks;
    t.chunk = (extent.pixels + chunks - 1) / chunks;
    t.chunks = (extent.pixels + t.chunk - 1) / t.chunk;
    return t;
}

/* Where a thread works. */
struct position {
    uint32_t lane, row, c, begin, end;
    bool active;
};

template <int V> __device__ static position position_of(const tiling &t, const extent &extent) {
    position at;
    at.lane = threadIdx.x % t.lanes;
    at.row = threadIdx.x / t.lanes;
    at.c = (blockIdx.x * t.lanes + at.lane) * V;
    at.active = at.c < extent.channels;
    at.begin = blockIdx.y * t.chunk;
    at.end = at.begin + t.chunk < extent.pixels ? at.begin + t.chunk : extent.pixels;
    return at;
}

/* A thread's pixels p, p + rows, ...: their packs. What is absent or behind the chunk is zeros. */
template <class T, int V, int COUNT>
__device__ static void load_pixels(pack<T, V> (&to)[COUNT], const void *from, const tiling &t,
                                   const position &at, uint32_t p, uint32_t channels) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        uint32_t pixel = p + i * t.rows;
        to[i] = pack<T, V>{};
        if (from && pixel < at.end)
            to[i] = *(const pack<T, V> *)((const T *)from + pixel * channels + at.c);
    }
}

/* Adds a and b of all rows of a lane, pairwise; every thread gets its lane's sums. */
template <int V> __device__ static void sum_rows(float (&a)[V], float (&b)[V], const tiling &t) {
    __shared__ float sums[2 * V][COLUMN_THREADS];
    uint32_t i = threadIdx.x;
#pragma unroll
    for (int v = 0; v < V; v++) {
        sums[v][i] = a[v];
        sums[V + v][i] = b[v];
    }
    for (uint32_t half = t.rows / 2; half > 0; half /= 2) {
        __syncthreads();
        if (i < half * t.lanes)
#pragma unroll
            for (int v = 0; v < 2 * V; v++)
                sums[v][i] += sums[v][i + half * t.lanes];
    }
    __syncthreads();
#pragma unroll
    for (int v = 0; v < V; v++) {
        a[v] = sums[v][i % t.lanes];
        b[v] = sums[V + v][i % t.lanes];
    }
}

/* Writes a block's sums: partial[chunk][2][channels]. */
template <int V>
__device__ static void store_sums(float *partial, float (&a)[V], float (&b)[V], const tiling &t,
                                  const position &at, uint32_t channels) {
    sum_rows(a, b, t);
    if (!at.active || at.row > 0)
        return;
    float *to = partial + (size_t)blockIdx.y * 2 * channels + at.c;
    store_pack(to, a);
    store_pack(to + channels, b);
}

/* The chunks' sums added up, in every thread of a lane. */
template <int V>
__device__ static void load_sums(const float *partial, float (&a)[V], float (&b)[V],
                                 const tiling &t, const position &at, uint32_t channels) {
#pragma unroll
    for (int v = 0; v < V; v++)
        a[v] = b[v] = 0;
    for (uint32_t chunk = at.row; at.active && chunk < t.chunks; chunk += t.rows) {
        const float *from = partial + (size_t)chunk * 2 * channels + at.c;
        float x[V], y[V];
        load_pack(x, from);
        load_pack(y, from + channels);
#pragma unroll
        for (int v = 0; v < V; v++) {
            a[v] += x[v];
            b[v] += y[v];
        }
    }
    sum_rows(a, b, t);
}

/* --- the chunks' sums --- */

static constexpr uint32_t FINISH_ROWS = BLOCK / WARP;

/* Adds up partial[chunks][count] and hands sum i to to(i, sum). A warp has 32 neighbours, a block's
 * warps every eighth chunk each; then the warps' sums are added in turn. */
template <class To>
static __global__ void __launch_bounds__(BLOCK)
    finish(const float *partial, uint32_t chunks, uint32_t count, To to) {
    __shared__ double sums[FINISH_ROWS][WARP];
    uint32_t lane = threadIdx.x % WARP, row = threadIdx.x / WARP, i = blockIdx.x * WARP + lane;
    double sum = 0;
    for (uint32_t chunk = row; i < count && chunk < chunks; chunk += FINISH_ROWS)
        sum += partial[(size_t)chunk * count + i];
    sums[row][lane] = sum;
    __syncthreads();
    if (row > 0 || i >= count)
        return;
    for (uint32_t other = 1; other < FINISH_ROWS; other++)
        sum += sums[other][lane];
    to(i, (float)sum);
}

template <class To>
static void launch_finish(const struct queue *queue, const float *partial, uint32_t chunks,
                          uint32_t count, To to) {
    LAUNCH_BLOCK(finish, (count + WARP - 1) / WARP, BLOCK, queue, partial, chunks, count, to);
}

/* Where the sums of store_sums go: the first ones, then the second ones; either may be NULL. */
struct column_sums {
    float *out, *out2;
    uint32_t channels;
    __device__ void operator()(uint32_t i, float sum) const {
        if (i < channels && out)
            out[i] = sum;
        else if (i >= channels && out2)
            out2[i - channels] = sum;
    }
};

#endif
