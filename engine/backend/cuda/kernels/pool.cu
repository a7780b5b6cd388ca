/* Pooling over windows and over whole pictures; the gradients gather, so nothing is added twice. */
#include "engine/backend/cuda/kernels/device.cuh"

/* The part of a window that lies inside of the picture. */
struct window {
    int h, h_end, w, w_end;
};

__device__ static window window_at(const pool_args &args, int h, int w) {
    int top = h * args.stride - args.pad, left = w * args.stride - args.pad;
    return window{max(top, 0), min(top + args.kernel, args.h), max(left, 0),
                  min(left + args.kernel, args.w)};
}

__device__ static uint32_t index_of(const pool_args &args, int n, int h, int w, int c) {
    return ((uint32_t)(n * args.h + h) * args.w + w) * args.c + c;
}

/* The first largest element, or the last that is no number. */
template <class T>
__device__ static uint32_t largest_at(const pool_args &args, const T *x, const window &in, int n,
                                      int c) {
    uint32_t best = index_of(args, n, in.h, in.w, c);
    float top = load(x[best]);
    for (int h = in.h; h < in.h_end; h++)
        for (int w = in.w; w < in.w_end; w++) {
            uint32_t at = index_of(args, n, h, w, c);
            float value = load(x[at]);
            if (value > top || value != value) {
                best = at;
                top = value;
            }
        }
    return best;
}

template <class T>
__device__ static float mean_of(const pool_args &args, const T *x, const window &in, int n, int c) {
    float sum = 0;
    for (int h = in.h; h < in.h_end; h++)
        for (int w = in.w; w < in.w_end; w++)
            sum += load(x[index_of(args, n, h, w, c)]);
    return sum / (float)(args.kernel * args.kernel);
}

template <class T> __global__ void pool(pool_args args, const T *x, T *y) {
    GRID_LOOP(i, (uint32_t)(args.n * args.yh * args.yw * args.c)) {
        int c = i % args.c, w = i / args.c % args.yw, h = i / (args.c * args.yw) % args.yh;
        int n = i / (args.c * args.yw * args.yh);
        window in = window_at(args, h, w);
        store(y[i],
              args.average ? mean_of(args, x, in, n, c) : load(x[largest_at(args, x, in, n, c)]));
    }
}

/* Every window that holds the element: those of all taps that meet a stride. */
template <class T> __global__ void pool_bwd(pool_args args, const T *x, const T *dy, T *dx) {
    GRID_LOOP(i, (uint32_t)(args.n * args.h * args.w * args.c)) {
        int c = i % args.c, w = i / args.c % args.w, h = i / (args.c * args.w) % args.h;
        int n = i / (args.c * args.w * args.h);
        int first_h = max(0, (h + args.pad - args.kernel + args.stride) / args.stride);
        int first_w = max(0, (w + args.pad - args.kernel + args.stride) / args.stride);
        int last_h = min((h + args.pad) / args.stride, args.yh - 1);
        int last_w = min((w + args.pad) / args.stride, args.yw - 1);
        float sum = 0;
        for (int r = first_h; r <= last_h; r++)
            for (int s = first_w; s <= last_w; s++) {
                float g = load(dy[((uint32_t)(n * args.yh + r) * args.yw + s) * args.c + c]);
                if (args.average)
                    sum += g / (float)(args.kernel * args.kernel);
                else if (largest_at(args, x, window_at(args, r, s), n, c) == i)
                    sum += g;
            }
        store(dx[i], sum);
    }
}

extern "C" void launch_pool(const struct queue *queue, const struct pool_args *args) {
    unsigned blocks = loop_blocks(queue, (uint32_t)(args->n * args->yh * args->yw * args->c));
    if (args->x.bf16)
        LAUNCH(pool, blocks, BLOCK, queue, *args, (const bf16 *)args->x.data, (bf16 *)args->y.data);
    else
        LAUNCH(pool, blocks, BLOCK, queue, *args, (const float *)args->x.data,
               (float *)args->y.data);
}

extern "C" void launch_pool_bwd(const struct queue *queue, const struct pool_args *args) {
    unsigned blocks = loop_blocks(queue, (uint32_t)(args->n * args->h * args->w * args->c));
    if (args->dx.bf16)
        LAUNCH(pool_bwd, blocks, BLOCK, queue, *args, (const bf16 *)args->x.data,
               (const bf16 *)args->dy.data, (bf16 *)args->dx.data);
    else
        LAUNCH(pool_bwd, blocks, BLOCK, queue, *args, (const float *)args->x.data,
               (const float *)args->dy.data, (float *)args->dx.data);
}

/* --- whole pictures --- */

/* A warp has 32 neighbouring channels, a block's warps share the pixels of a picture. */
template <class From, class To>
__global__ void __launch_bounds__(BLOCK) global_pool(pool_args args, const From *x, To *y) {
    __shared__ float sums[BLOCK / WARP][WARP];
    int lane = threadIdx.x % WARP, row = threadIdx.x / WARP, n = blockIdx.y;
    int c = blockIdx.x * WARP + lane, plane = args.h * args.w;
    float sum = 0;
    for (int p = row; c < args.c && p < plane; p += BLOCK / WARP)
        sum += load(x[((uint32_t)n * plane + p) * args.c + c]);
    sums[row][lane] = sum;
    __syncthreads();
    if (row > 0 || c >= args.c)
        return;
    for (int other = 1; other < BLOCK / WARP; other++)
        sum += sums[other][lane];
    store(y[n * args.c + c], sum / (float)plane);
}

extern "C" void launch_global_pool(const struct queue *queue, const struct pool_args *args) {
    dim3 grid((unsigned)(args->c + WARP - 1) / WARP, (unsigned)args->n);
    if (args->x.bf16 && args->y.bf16)
        LAUNCH_BLOCK(global_pool, grid, BLOCK, queue, *args, (const bf16 *)args->x.data,
                     (bf16 *)args->y.data);
    else if (args->x.bf16)
        LAUNCH_BLOCK(global_pool, grid, BLOCK, queue, *args, (const bf16 *)args->x.data,
                     (float *)args->y.data);
    else
        LAUNCH_BLOCK(global_pool, grid, BLOCK, queue, *args, (const float *)args->x.data,
                     (float *)args->y.data);
}

template <class From, class To>
__global__ void global_pool_bwd(pool_args args, const From *dy, To *dx) {
    uint32_t plane = (uint32_t)(args.h * args.w), picture = plane * args.c;
    GRID_LOOP(i, args.n * picture)
    store(dx[i], load(dy[i / picture * args.c + i % args.c]) / (float)plane);
}

extern "C" void launch_global_pool_bwd(const struct queue *queue, const struct pool_args *args) {
    unsigned blocks = loop_blocks(queue, (uint32_t)(args->n * args->h * args->w * args->c));
    if (args->dx.bf16 && args->dy.bf16)
        LAUNCH(global_pool_bwd, blocks, BLOCK, queue, *args, (const bf16 *)args->dy.data,
               (bf16 *)args->dx.data);
    else if (args->dx.bf16)
        LAUNCH(global_pool_bwd, blocks, BLOCK, queue, *args, (const float *)args->dy.data,
               (bf16 *)args->dx.data);
    else
        LAUNCH(global_pool_bwd, blocks, BLOCK, queue, *args, (const float *)args->dy.data,
               (float *)args->dx.data);
}
