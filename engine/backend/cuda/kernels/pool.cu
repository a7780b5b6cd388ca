/* Pooling over windows and over whole pictures, packs of channels at a time; the gradients gather,
 * so nothing is added twice. */
#include "engine/backend/cuda/kernels/device.cuh"

#include <math.h>

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

/* The first largest element of each channel, or the last that is no number, and at which pixel. */
template <class T, int V> struct largest {
    float top[V];
    int pixel[V];

    __device__ largest(const pool_args &args, const window &in, int n, int c) {
#pragma unroll
        for (int v = 0; v < V; v++) {
            top[v] = -INFINITY;
            pixel[v] = in.h * args.w + in.w;
        }
        for (int h = in.h; h < in.h_end; h++)
            for (int w = in.w; w < in.w_end; w++) {
                float value[V];
                load_pack(value, (const T *)args.x.data + index_of(args, n, h, w, c));
#pragma unroll
                for (int v = 0; v < V; v++) {
                    bool larger = value[v] > top[v] || isnan(value[v]);
                    top[v] = larger ? value[v] : top[v];
                    pixel[v] = larger ? h * args.w + w : pixel[v];
                }
            }
    }
};

template <class T, int V>
__device__ static void mean_of(float (&mean)[V], const pool_args &args, const window &in, int n,
                               int c) {
    for (int h = in.h; h < in.h_end; h++)
        for (int w = in.w; w < in.w_end; w++) {
            float value[V];
            load_pack(value, (const T *)args.x.data + index_of(args, n, h, w, c));
#pragma unroll
            for (int v = 0; v < V; v++)
                mean[v] += value[v];
        }
#pragma unroll
    for (int v = 0; v < V; v++)
        mean[v] /= (float)(args.kernel * args.kernel);
}

/* A thread has a pack of channels of a pixel. */
struct pooled {
    int n, h, w, c;
};

template <int V> __device__ static pooled pooled_at(uint32_t i, int h, int w, int channels) {
    uint32_t packs = channels / V, pixel = i / packs, row = pixel / w;
    return pooled{(int)(row / h), (int)(row % h), (int)(pixel % w), (int)(i % packs) * V};
}

template <class T, int V> __global__ void pool(pool_args args) {
    GRID_LOOP(i, (uint32_t)(args.n * args.yh * args.yw * (args.c / V))) {
        pooled at = pooled_at<V>(i, args.yh, args.yw, args.c);
        window in = window_at(args, at.h, at.w);
        float mean[V] = {0};
        if (args.average)
            mean_of<T>(mean, args, in, at.n, at.c);
        else
            store_pack((T *)args.y.data + i * V, largest<T, V>(args, in, at.n, at.c).top);
        if (args.average)
            store_pack((T *)args.y.data + i * V, mean);
    }
}

/* What a window passes on to one of its pixels. */
template <class T, int V>
__device__ static void add_window(float (&sum)[V], const pool_args &args, const pooled &at, int h,
                                  int w) {
    float g[V];
    load_pack(g, (const T *)args.dy.data + ((uint32_t)(at.n * args.yh + h) * args.yw + w) * args.c +
                     at.c);
    if (args.average) {
#pragma unroll
        for (int v = 0; v < V; v++)
            sum[v] += g[v] / (float)(args.kernel * args.kernel);
        return;
    }
    largest<T, V> of(args, window_at(args, h, w), at.n, at.c);
#pragma unroll
    for (int v = 0; v < V; v++)
        sum[v] += of.pixel[v] == at.h * args.w + at.w ? g[v] : 0.0f;
}

/* Every window that holds the element: those of all taps that meet a stride. */
template <class T, int V> __global__ void pool_bwd(pool_args args) {
    GRID_LOOP(i, (uint32_t)(args.n * args.h * args.w * (args.c / V))) {
        pooled at = pooled_at<V>(i, args.h, args.w, args.c);
        int first_h = max(0, (at.h + args.pad - args.kernel + args.stride) / args.stride);
        int first_w = max(0, (at.w + args.pad - args.kernel + args.stride) / args.stride);
        int last_h = min((at.h + args.pad) / args.stride, args.yh - 1);
        int last_w = min((at.w + args.pad) / args.stride, args.yw - 1);
        float sum[V] = {0};
        for (int h = first_h; h <= last_h; h++)
            for (int w = first_w; w <= last_w; w++)
                add_window<T>(sum, args, at, h, w);
        store_pack((T *)args.dx.data + i * V, sum);
    }
}

extern "C" void launch_pool(const struct queue *queue, const struct pool_args *args) {
    with_type(args->x.bf16, (uint32_t)args->c, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        uint32_t packs = (uint32_t)(args->n * args->yh * args->yw * (args->c / V));
        LAUNCH((pool<T, V>), loop_blocks(queue, packs), BLOCK, queue, *args);
    });
}

extern "C" void launch_pool_bwd(const struct queue *queue, const struct pool_args *args) {
    with_type(args->dx.bf16, (uint32_t)args->c, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        uint32_t packs = (uint32_t)(args->n * args->h * args->w * (args->c / V));
        LAUNCH((pool_bwd<T, V>), loop_blocks(queue, packs), BLOCK, queue, *args);
    });
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

template <class From, class To, int V> __global__ void global_pool_bwd(pool_args args) {
    uint32_t plane = (uint32_t)(args.h * args.w), packs = args.c / V;
    GRID_LOOP(i, args.n * plane * packs) {
        float g[V];
        load_pack(g, (const From *)args.dy.data + i / (plane * packs) * args.c + i % packs * V);
#pragma unroll
        for (int v = 0; v < V; v++)
            g[v] /= (float)plane;
        store_pack((To *)args.dx.data + i * V, g);
    }
}

extern "C" void launch_global_pool_bwd(const struct queue *queue, const struct pool_args *args) {
    with_type(args->dx.bf16, (uint32_t)args->c, [&](auto type) {
        using To = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        unsigned blocks =
            loop_blocks(queue, (uint32_t)(args->n * args->h * args->w * (args->c / V)));
        if (args->dy.bf16)
            LAUNCH((global_pool_bwd<bf16, To, V>), blocks, BLOCK, queue, *args);
        else
            LAUNCH((global_pool_bwd<float, To, V>), blocks, BLOCK, queue, *args);
    });
}
