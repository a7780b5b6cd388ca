/*
 * columns.cuh - sums over pixels (or tokens) for each channel, as norms and gradients of biases and
 * scales need them, in a fixed order: first over chunks of pixels, then over the chunks.
 *
 * A block is lanes x rows: a lane has V neighbouring channels, a row a pixel. How pixels are cut
 * into chunks depends on the shape alone, so that every device of an architecture gives the same
 * bytes.
 */
#ifndef ENGINE_BACKEND_CUDA_KERNELS_COLUMNS_CUH
#define ENGINE_BACKEND_CUDA_KERNELS_COLUMNS_CUH

#include "engine/backend/cuda/kernels/device.cuh"

static constexpr uint32_t TARGET_BLOCKS = 256, CHUNKS_MAX = 128, PIXELS_OF_ROW = 4;

struct tiling {
    uint32_t lanes, rows, tiles, chunk, chunks;
};

static struct tiling tiling_of(struct extent extent, int width) {
    struct tiling t = {1, 0, 0, 0, 0};
    while (t.lanes < WARP && t.lanes * width < extent.channels)
        t.lanes *= 2;
    t.rows = BLOCK / t.lanes;
    t.tiles = (extent.channels + t.lanes * width - 1) / (t.lanes * width);
    uint32_t most = TARGET_BLOCKS / t.tiles, useful = extent.pixels / (t.rows * PIXELS_OF_ROW);
    uint32_t chunks = most < useful ? most : useful;
    chunks = chunks < 1 ? 1 : chunks > CHUNKS_MAX ? CHUNKS_MAX : chunks;
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

/* Adds a and b of all rows of a lane, pairwise; every thread gets its lane's sums. */
template <int V> __device__ static void sum_rows(float (&a)[V], float (&b)[V], const tiling &t) {
    __shared__ float sums[2 * V][BLOCK];
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

/* out[c] = sum over chunks of the first sums, out2[c] of the second ones; either may be NULL. */
static __global__ void finish_columns(const float *partial, float *out, float *out2,
                                      uint32_t channels, uint32_t chunks) {
    GRID_LOOP(c, channels) {
        double sum = 0, sum2 = 0;
        for (uint32_t chunk = 0; chunk < chunks; chunk++) {
            sum += partial[(size_t)chunk * 2 * channels + c];
            sum2 += partial[((size_t)chunk * 2 + 1) * channels + c];
        }
        if (out)
            out[c] = (float)sum;
        if (out2)
            out2[c] = (float)sum2;
    }
}

#endif
