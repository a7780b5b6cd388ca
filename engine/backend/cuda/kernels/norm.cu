/*
 * Batch norm with statistics of the batch: two launches each way. The first sums over chunks of
 * pixels, the second adds up the chunks' sums again in every block and then goes over the pixels.
 */
#include "engine/backend/cuda/kernels/columns.cuh"

extern "C" size_t launch_norm_workspace_bytes(const struct queue *queue, struct extent extent,
                                              bool bf16) {
    size_t bytes = 0;
    (void)queue;
    with_type(bf16, extent.channels, [&](auto type) {
        size_t rows = 2 * tiling_of(extent, decltype(type)::width).chunks + 1;
        bytes = sizeof(float) * rows * extent.channels;
    });
    return bytes;
}

/* Mean and inverse deviation of a thread's channels, and their affine part. */
template <int V> struct channel { float mean[V], inverse[V], gamma[V], beta[V]; };

template <int V>
__device__ static void finish_channel(channel<V> &of, const float (&var)[V], const float *gamma,
                                      const float *beta, float eps) {
    load_pack(of.gamma, gamma);
    load_pack(of.beta, beta);
#pragma unroll
    for (int v = 0; v < V; v++)
        of.inverse[v] = 1.0f / sqrtf(var[v] + eps);
}

/* Both passes compute it by the same operations: they must agree on the sign under a ReLU. */
template <int V> __device__ static float standardized(const channel<V> &of, int v, float x) {
    return (x - of.mean[v]) * of.inverse[v];
}

template <int V> __device__ static float scaled(const channel<V> &of, int v, float x) {
    return fmaf(standardized(of, v, x), of.gamma[v], of.beta[v]);
}

/* --- forward --- */

/* Sums and sums of squares about each channel's first number, which keeps them small. It is kept
 * behind the sums, because x may be overwritten by the second launch. */
template <class T, int V>
__global__ void __launch_bounds__(BLOCK)
    statistics(const T *x, const T *pivot, float *partial, extent extent, tiling t) {
    position at = position_of<V>(t, extent);
    float a[V] = {0}, b[V] = {0}, center[V] = {0};
    if (at.active && pivot)
        load_pack(center, pivot + at.c);
    if (at.active && blockIdx.y == 0 && at.row == 0)
        store_pack(partial + (size_t)2 * t.chunks * extent.channels + at.c, center);
    for (uint32_t p = at.begin + at.row; at.active && p < at.end; p += t.rows) {
        float in[V];
        load_pack(in, x + (size_t)p * extent.channels + at.c);
#pragma unroll
        for (int v = 0; v < V; v++) {
            float distance = in[v] - center[v];
            a[v] += distance;
            b[v] = fmaf(distance, distance, b[v]);
        }
    }
    store_sums(partial, a, b, t, at, extent.channels);
}

template <int V>
__device__ static void moments(const norm_args &args, const tiling &t, const position &at,
                               channel<V> &of, float (&var)[V]) {
    float a[V], b[V], center[V];
    const float *partial = (const float *)args.workspace;
    load_sums(partial, a, b, t, at, args.extent.channels);
    if (!at.active)
        return;
    load_pack(center, partial + (size_t)2 * t.chunks * args.extent.channels + at.c);
#pragma unroll
    for (int v = 0; v < V; v++) {
        double shift = (double)a[v] / args.extent.pixels;
        double square = (double)b[v] / args.extent.pixels - shift * shift;
        of.mean[v] = (float)(center[v] + shift);
        var[v] = square > 0 || square != square ? (float)square : 0.0f;
    }
    if (blockIdx.y == 0 && at.row == 0) {
        store_pack(args.mean + at.c, of.mean);
        store_pack(args.var + at.c, var);
    }
}

template <class T, int V>
__global__ void __launch_bounds__(BLOCK) bn_act(norm_args args, tiling t) {
    position at = position_of<V>(t, args.extent);
    channel<V> of;
    float var[V];
    moments(args, t, at, of, var);
    if (!at.active)
        return;
    finish_channel(of, var, args.gamma + at.c, args.beta + at.c, args.eps);
    const T *x = (const T *)args.x.data, *residual = (const T *)args.residual.data;
    for (uint32_t p = at.begin + at.row; p < at.end; p += t.rows) {
        size_t i = (size_t)p * args.extent.channels + at.c;
        float in[V], other[V] = {0};
        load_pack(in, x + i);
        if (residual)
            load_pack(other, residual + i);
#pragma unroll
        for (int v = 0; v < V; v++)
            in[v] = activate(scaled(of, v, in[v]) + other[v], args.act);
        store_pack((T *)args.y.data + i, in);
    }
}

extern "C" void launch_bn_act(const struct queue *queue, const struct norm_args *args) {
    with_type(args->x.bf16, args->extent.channels, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        struct tiling t = tiling_of(args->extent, V);
        dim3 grid(t.tiles, t.chunks);
        const T *x = (const T *)args->x.data;
        LAUNCH_BLOCK((statistics<T, V>), grid, BLOCK, queue, x, x, (float *)args->workspace,
                     args->extent, t);
        LAUNCH_BLOCK((bn_act<T, V>), grid, BLOCK, queue, *args, t);
    });
}

/* --- backward --- */

/* The gradient behind the activation, and x, at one place. */
template <class T, int V>
__device__ static void incoming(const norm_bwd_args &args, const channel<V> &of, size_t i,
                                float (&g)[V], float (&x)[V]) {
    const T *y = (const T *)args.y.data, *dy2 = (const T *)args.dy2.data;
    float other[V] = {0}, out[V];
    load_pack(g, (const T *)args.dy.data + i);
    load_pack(x, (const T *)args.x.data + i);
    if (dy2)
        load_pack(other, dy2 + i);
    if (y)
        load_pack(out, y + i);
#pragma unroll
    for (int v = 0; v < V; v++)
        g[v] = passes(y ? out[v] : scaled(of, v, x[v]), args.act) ? g[v] + other[v] : 0.0f;
}

template <class T, int V>
__device__ static void load_channel(const norm_bwd_args &args, const position &at, channel<V> &of) {
    float var[V];
    load_pack(of.mean, args.mean + at.c);
    load_pack(var, args.var + at.c);
    finish_channel(of, var, args.gamma + at.c, args.beta + at.c, args.eps);
}

template <class T, int V>
__global__ void __launch_bounds__(BLOCK) bn_act_bwd_sums(norm_bwd_args args, tiling t) {
    position at = position_of<V>(t, args.extent);
    channel<V> of;
    float dbeta[V] = {0}, dgamma[V] = {0};
    if (at.active)
        load_channel<T>(args, at, of);
    for (uint32_t p = at.begin + at.row; at.active && p < at.end; p += t.rows) {
        float g[V], x[V];
        incoming<T>(args, of, (size_t)p * args.extent.channels + at.c, g, x);
#pragma unroll
        for (int v = 0; v < V; v++) {
            dbeta[v] += g[v];
            dgamma[v] = fmaf(g[v], standardized(of, v, x[v]), dgamma[v]);
        }
    }
    store_sums((float *)args.workspace, dbeta, dgamma, t, at, args.extent.channels);
}

template <class T, int V>
__global__ void __launch_bounds__(BLOCK) bn_act_bwd(norm_bwd_args args, tiling t) {
    position at = position_of<V>(t, args.extent);
    channel<V> of;
    float dbeta[V], dgamma[V];
    load_sums((const float *)args.workspace, dbeta, dgamma, t, at, args.extent.channels);
    if (!at.active)
        return;
    load_channel<T>(args, at, of);
    if (blockIdx.y == 0 && at.row == 0) {
        store_pack(args.dgamma + at.c, dgamma);
        store_pack(args.dbeta + at.c, dbeta);
    }
    T *dresidual = (T *)args.dresidual.data;
    float share = 1.0f / (float)args.extent.pixels;
    for (uint32_t p = at.begin + at.row; p < at.end; p += t.rows) {
        size_t i = (size_t)p * args.extent.channels + at.c;
        float g[V], x[V];
        incoming<T>(args, of, i, g, x);
        if (dresidual)
            store_pack(dresidual + i, g);
#pragma unroll
        for (int v = 0; v < V; v++) {
            float common = fmaf(standardized(of, v, x[v]), dgamma[v], dbeta[v]) * share;
            x[v] = of.gamma[v] * of.inverse[v] * (g[v] - common);
        }
        store_pack((T *)args.dx.data + i, x);
    }
}

extern "C" void launch_bn_act_bwd(const struct queue *queue, const struct norm_bwd_args *args) {
    with_type(args->x.bf16, args->extent.channels, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        struct tiling t = tiling_of(args->extent, V);
        dim3 grid(t.tiles, t.chunks);
        LAUNCH_BLOCK((bn_act_bwd_sums<T, V>), grid, BLOCK, queue, *args, t);
        LAUNCH_BLOCK((bn_act_bwd<T, V>), grid, BLOCK, queue, *args, t);
    });
}

/* --- sums of channels --- */

extern "C" void launch_channel_sums(const struct queue *queue, struct array x, struct extent extent,
                                    float *out, void *workspace) {
    with_type(x.bf16, extent.channels, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        struct tiling t = tiling_of(extent, V);
        float *partial = (float *)workspace;
        LAUNCH_BLOCK((statistics<T, V>), dim3(t.tiles, t.chunks), BLOCK, queue, (const T *)x.data,
                     (const T *)nullptr, partial, extent, t);
        LAUNCH(finish_columns, loop_blocks(queue, extent.channels), BLOCK, queue, partial, out,
               (float *)nullptr, extent.channels, t.chunks);
    });
}

/* --- running statistics and inference --- */

__global__ void bn_update(bn_params_args args) {
    GRID_LOOP(c, (uint32_t)args.channels) {
        args.out[c] += args.momentum * (args.mean[c] - args.out[c]);
        args.out2[c] += args.momentum * (args.var[c] * args.unbias - args.out2[c]);
    }
}

extern "C" void launch_bn_update(const struct queue *queue, const struct bn_params_args *args) {
    LAUNCH(bn_update, loop_blocks(queue, (uint32_t)args->channels), BLOCK, queue, *args);
}

__device__ static float scale_of(const bn_params_args &args, uint32_t c) {
    return args.gamma[c] / sqrtf(args.var[c] + args.eps);
}

__global__ void fold_bn(bn_params_args args) {
    GRID_LOOP(i, (uint32_t)(args.channels * args.taps)) {
        uint32_t c = i / args.taps;
        float scale = scale_of(args, c);
        args.out[i] = args.weight[i] * scale;
        if (i % args.taps == 0) {
            float bias = args.conv_bias ? args.conv_bias[c] : 0.0f;
            args.out2[c] = fmaf(bias - args.mean[c], scale, args.beta[c]);
        }
    }
}

extern "C" void launch_fold_bn(const struct queue *queue, const struct bn_params_args *args) {
    unsigned blocks = loop_blocks(queue, (uint32_t)(args->channels * args->taps));
    LAUNCH(fold_bn, blocks, BLOCK, queue, *args);
}

__global__ void bn_scale(bn_params_args args) {
    GRID_LOOP(c, (uint32_t)args.channels) {
        float scale = scale_of(args, c);
        args.out[c] = scale;
        args.out2[c] = fmaf(-args.mean[c], scale, args.beta[c]);
    }
}

extern "C" void launch_bn_scale(const struct queue *queue, const struct bn_params_args *args) {
    LAUNCH(bn_scale, loop_blocks(queue, (uint32_t)args->channels), BLOCK, queue, *args);
}

__global__ void fold_scale(bn_params_args args) {
    GRID_LOOP(i, (uint32_t)(args.channels * args.taps)) {
        uint32_t c = i / args.taps;
        args.out[i] = args.gamma[c] * args.weight[i];
        if (i % args.taps == 0)
            args.out2[c] = args.gamma[c] * args.conv_bias[c];
    }
}

extern "C" void launch_fold_scale(const struct queue *queue, const struct bn_params_args *args) {
    unsigned blocks = loop_blocks(queue, (uint32_t)(args->channels * args->taps));
    LAUNCH(fold_scale, blocks, BLOCK, queue, *args);
}
