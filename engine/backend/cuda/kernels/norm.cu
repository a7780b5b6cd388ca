/*
 * Batch norm with statistics of the batch: two launches each way. The first sums over chunks of
 * pixels, the second adds up the chunks' sums again in every block and then goes over the pixels.
 *
 * Activations read or written: forward 3 (4 with a residual); backward dy, x and, if given, dy2 and
 * y twice, dx once. With a dresidual its first launch writes that, and the second reads it instead
 * of dy, dy2 and y.
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

/* Pixels that a thread has on the way. */
static constexpr int AHEAD = 4, AHEAD_BWD = 2;

/* --- forward --- */

/* Sums and sums of squares about each channel's first number, which keeps them small. It is kept
 * behind the sums, because x may be overwritten by the second launch. */
template <class T, int V>
__global__ void __launch_bounds__(COLUMN_THREADS)
    statistics(const T *x, float *partial, extent extent, tiling t) {
    position at = position_of<V>(t, extent);
    float a[V] = {0}, b[V] = {0}, center[V] = {0};
    if (at.active)
        load_pack(center, x + at.c);
    if (at.active && blockIdx.y == 0 && at.row == 0)
        store_pack(partial + (size_t)2 * t.chunks * extent.channels + at.c, center);
    for (uint32_t p = at.begin + at.row; at.active && p < at.end; p += AHEAD * t.rows) {
        pack<T, V> in[AHEAD];
        load_pixels(in, x, t, at, p, extent.channels);
#pragma unroll
        for (int i = 0; i < AHEAD; i++)
#pragma unroll
            for (int v = 0; v < V; v++) {
                float distance = p + i * t.rows < at.end ? load(in[i].at[v]) - center[v] : 0.0f;
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
__global__ void __launch_bounds__(COLUMN_THREADS) bn_act(norm_args args, tiling t) {
    position at = position_of<V>(t, args.extent);
    channel<V> of;
    float var[V];
    moments(args, t, at, of, var);
    if (!at.active)
        return;
    finish_channel(of, var, args.gamma + at.c, args.beta + at.c, args.eps);
    for (uint32_t p = at.begin + at.row; p < at.end; p += AHEAD * t.rows) {
        pack<T, V> x[AHEAD], residual[AHEAD];
        load_pixels(x, args.x.data, t, at, p, args.extent.channels);
        load_pixels(residual, args.residual.data, t, at, p, args.extent.channels);
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            uint32_t pixel = p + i * t.rows;
            float y[V];
#pragma unroll
            for (int v = 0; v < V; v++)
                y[v] =
                    activate(scaled(of, v, load(x[i].at[v])) + load(residual[i].at[v]), args.act);
            if (pixel < at.end)
                store_pack((T *)args.y.data + pixel * args.extent.channels + at.c, y);
        }
    }
}

extern "C" void launch_bn_act(const struct queue *queue, const struct norm_args *args) {
    with_type(args->x.bf16, args->extent.channels, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        struct tiling t = tiling_of(args->extent, V);
        dim3 grid(t.tiles, t.chunks);
        LAUNCH_BLOCK((statistics<T, V>), grid, COLUMN_THREADS, queue, (const T *)args->x.data,
                     (float *)args->workspace, args->extent, t);
        LAUNCH_BLOCK((bn_act<T, V>), grid, COLUMN_THREADS, queue, *args, t);
    });
}

/* --- backward --- */

/* The gradient behind the activation, and x, of a thread's next pixels. */
template <class T, int V>
__device__ static void incoming(const norm_bwd_args &args, const channel<V> &of, const tiling &t,
                                const position &at, uint32_t p, float (&g)[AHEAD_BWD][V],
                                float (&x)[AHEAD_BWD][V]) {
    pack<T, V> dy[AHEAD_BWD], dy2[AHEAD_BWD], in[AHEAD_BWD], y[AHEAD_BWD];
    load_pixels(dy, args.dy.data, t, at, p, args.extent.channels);
    load_pixels(in, args.x.data, t, at, p, args.extent.channels);
    load_pixels(dy2, args.dy2.data, t, at, p, args.extent.channels);
    load_pixels(y, args.y.data, t, at, p, args.extent.channels);
#pragma unroll
    for (int i = 0; i < AHEAD_BWD; i++)
#pragma unroll
        for (int v = 0; v < V; v++) {
            x[i][v] = load(in[i].at[v]);
            float out = args.y.data ? load(y[i].at[v]) : scaled(of, v, x[i][v]);
            float sum = load(dy[i].at[v]) + load(dy2[i].at[v]);
            g[i][v] = passes(out, args.act) ? sum : 0.0f;
        }
}

template <class T, int V>
__device__ static void load_channel(const norm_bwd_args &args, const position &at, channel<V> &of) {
    float var[V];
    load_pack(of.mean, args.mean + at.c);
    load_pack(var, args.var + at.c);
    finish_channel(of, var, args.gamma + at.c, args.beta + at.c, args.eps);
}

template <class T, int V>
__global__ void __launch_bounds__(COLUMN_THREADS) bn_act_bwd_sums(norm_bwd_args args, tiling t) {
    position at = position_of<V>(t, args.extent);
    channel<V> of;
    float dbeta[V] = {0}, dgamma[V] = {0};
    if (at.active)
        load_channel<T>(args, at, of);
    for (uint32_t p = at.begin + at.row; at.active && p < at.end; p += AHEAD_BWD * t.rows) {
        float g[AHEAD_BWD][V], x[AHEAD_BWD][V];
        incoming<T>(args, of, t, at, p, g, x);
#pragma unroll
        for (int i = 0; i < AHEAD_BWD; i++) {
            uint32_t pixel = p + i * t.rows;
            if (pixel >= at.end)
                break;
            if (args.dresidual.data)
                store_pack((T *)args.dresidual.data + pixel * args.extent.channels + at.c, g[i]);
#pragma unroll
            for (int v = 0; v < V; v++) {
                dbeta[v] += g[i][v];
                dgamma[v] = fmaf(g[i][v], standardized(of, v, x[i][v]), dgamma[v]);
            }
        }
    }
    store_sums((float *)args.workspace, dbeta, dgamma, t, at, args.extent.channels);
}

template <class T, int V>
__global__ void __launch_bounds__(COLUMN_THREADS) bn_act_bwd(norm_bwd_args args, tiling t) {
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
    float share = 1.0f / (float)args.extent.pixels;
    for (uint32_t p = at.begin + at.row; p < at.end; p += AHEAD_BWD * t.rows) {
        float g[AHEAD_BWD][V], x[AHEAD_BWD][V];
        incoming<T>(args, of, t, at, p, g, x);
#pragma unroll
        for (int i = 0; i < AHEAD_BWD; i++) {
            uint32_t pixel = p + i * t.rows;
            if (pixel >= at.end)
                break;
#pragma unroll
            for (int v = 0; v < V; v++) {
                float common = fmaf(standardized(of, v, x[i][v]), dgamma[v], dbeta[v]) * share;
                x[i][v] = of.gamma[v] * of.inverse[v] * (g[i][v] - common);
            }
            store_pack((T *)args.dx.data + pixel * args.extent.channels + at.c, x[i]);
        }
    }
}

/* What the second launch starts from: the gradient behind the activation, if the first one has left
 * it. */
static struct norm_bwd_args second_of(const struct norm_bwd_args *args) {
    struct norm_bwd_args second = *args;
    if (!args->dresidual.data)
        return second;
    second.dy = args->dresidual;
    second.dy2.data = second.y.data = nullptr;
    second.act = LAUNCH_ACT_NONE;
    return second;
}

extern "C" void launch_bn_act_bwd(const struct queue *queue, const struct norm_bwd_args *args) {
    with_type(args->x.bf16, args->extent.channels, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        struct tiling t = tiling_of(args->extent, V);
        dim3 grid(t.tiles, t.chunks);
        LAUNCH_BLOCK((bn_act_bwd_sums<T, V>), grid, COLUMN_THREADS, queue, *args, t);
        LAUNCH_BLOCK((bn_act_bwd<T, V>), grid, COLUMN_THREADS, queue, second_of(args), t);
    });
}

/* --- sums of channels --- */

template <class T, int V>
__global__ void __launch_bounds__(COLUMN_THREADS)
    channel_sums(const T *x, float *to, extent extent, tiling t) {
    position at = position_of<V>(t, extent);
    float sum[V] = {0}, none[V] = {0};
    for (uint32_t p = at.begin + at.row; at.active && p < at.end; p += AHEAD * t.rows) {
        pack<T, V> in[AHEAD];
        load_pixels(in, x, t, at, p, extent.channels);
#pragma unroll
        for (int i = 0; i < AHEAD; i++)
#pragma unroll
            for (int v = 0; v < V; v++)
                sum[v] += load(in[i].at[v]);
    }
    sum_rows(sum, none, t);
    if (at.active && at.row == 0)
        store_pack(to + blockIdx.y * extent.channels + at.c, sum);
}

/* Of a single chunk the sums are written where they belong at once. */
extern "C" void launch_channel_sums(const struct queue *queue, struct array x, struct extent extent,
                                    float *out, void *workspace) {
    with_type(x.bf16, extent.channels, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        struct tiling t = tiling_of(extent, V);
        float *to = t.chunks > 1 ? (float *)workspace : out;
        LAUNCH_BLOCK((channel_sums<T, V>), dim3(t.tiles, t.chunks), COLUMN_THREADS, queue,
                     (const T *)x.data, to, extent, t);
        if (t.chunks > 1)
            launch_finish(queue, to, t.chunks, extent.channels,
                          column_sums{out, nullptr, extent.channels});
    });
}

/* --- running statistics and inference --- */

struct bn_update_list {
    struct bn_update at[LAUNCH_TOGETHER];
};

/* A layer for each y of the grid. */
__global__ void bn_updates(bn_update_list list) {
    const bn_update &of = list.at[blockIdx.y];
    GRID_LOOP(c, (uint32_t)of.channels) {
        of.running_mean[c] += of.momentum * (of.mean[c] - of.running_mean[c]);
        of.running_var[c] += of.momentum * (of.var[c] * of.unbias - of.running_var[c]);
    }
}

extern "C" void launch_bn_updates(const struct queue *queue, const struct bn_update *updates,
                                  int count) {
    struct bn_update_list list;
    int channels = 0;
    for (int i = 0; i < count; i++) {
        list.at[i] = updates[i];
        channels = updates[i].channels > channels ? updates[i].channels : channels;
    }
    dim3 grid(loop_blocks(queue, (uint32_t)channels), (unsigned)count);
    LAUNCH(bn_updates, grid, BLOCK, queue, list);
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
