/*
 * Matrix products of any strides in f32: a block has a tile of c, goes over the inner dimension in
 * steps through shared memory, and each thread has MICRO x MICRO sums. Small products get small
 * tiles, so that more blocks share them.
 */
#include "engine/backend/cuda/kernels/device.cuh"

enum { SIDE = 16, STEP = 16 }; /* threads along a side of the tile; inner elements of a step */

__device__ static float element(const array &from, uint32_t at) {
    return from.bf16 ? load(((const bf16 *)from.data)[at]) : ((const float *)from.data)[at];
}

template <int MICRO> __global__ void __launch_bounds__(SIDE *SIDE) product(product_args args) {
    constexpr int TILE = SIDE * MICRO;
    __shared__ float a[STEP][TILE + 1], b[STEP][TILE + 1];
    int row = threadIdx.x / SIDE, column = threadIdx.x % SIDE;
    int first_row = blockIdx.x * TILE, first_column = blockIdx.y * TILE;
    float sum[MICRO][MICRO] = {{0}};
    for (int first = 0; first < args.inner; first += STEP) {
        for (int i = threadIdx.x; i < STEP * TILE; i += SIDE * SIDE) {
            int l = first + i % STEP, at = i / STEP;
            bool inside = l < args.inner;
            int r = first_row + at, c = first_column + at;
            a[i % STEP][at] = inside && r < args.rows
                                  ? element(args.a, (uint32_t)r * args.a_row + l * args.a_inner)
                                  : 0.0f;
            b[i % STEP][at] = inside && c < args.columns
                                  ? element(args.b, (uint32_t)l * args.b_inner + c * args.b_column)
                                  : 0.0f;
        }
        __syncthreads();
        for (int l = 0; l < STEP; l++)
#pragma unroll
            for (int i = 0; i < MICRO; i++)
#pragma unroll
                for (int j = 0; j < MICRO; j++)
                    sum[i][j] = fmaf(a[l][row + i * SIDE], b[l][column + j * SIDE], sum[i][j]);
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < MICRO; i++)
#pragma unroll
        for (int j = 0; j < MICRO; j++) {
            int r = first_row + row + i * SIDE, c = first_column + column + j * SIDE;
            if (r >= args.rows || c >= args.columns)
                continue;
            float value = sum[i][j] + (args.bias ? args.bias[c] : 0.0f);
            uint32_t at = (uint32_t)r * args.columns + c;
            if (args.gelu)
                value = gelu(value);
            if (args.residual.data)
                value += element(args.residual, at);
            if (args.c.bf16)
                store(((bf16 *)args.c.data)[at], value);
            else
                ((float *)args.c.data)[at] = value;
        }
}

template <int MICRO>
static void launch(const struct queue *queue, const struct product_args *args) {
    constexpr int TILE = SIDE * MICRO;
    dim3 grid((unsigned)(args->rows + TILE - 1) / TILE, /* y takes 65,535 blocks only */
              (unsigned)(args->columns + TILE - 1) / TILE);
    LAUNCH_BLOCK(product<MICRO>, grid, SIDE * SIDE, queue, *args);
}

extern "C" void launch_product(const struct queue *queue, const struct product_args *args) {
    if ((int64_t)args->rows * args->columns >= 256 * 256)
        launch<4>(queue, args);
    else
        launch<1>(queue, args);
}
