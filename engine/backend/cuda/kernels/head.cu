/*
 * The head of a small classifier: what pooling, a linear layer and the loss compute one after the
 * other is so little that their launches would take most of the time.
 *
 * A block has a picture. It reads the weights in f32, and so does every other one, from the second
 * cache; head.c sees to it that they are few. Whatever a block hands on lies in shared memory, only
 * the logits, which the loss reads, in global memory.
 */
#include "engine/backend/cuda/kernels/loss_registers.cuh"
#include "engine/backend/cuda/launch_head.h"

enum { WARPS = BLOCK / WARP, QUAD = 4, CLASSES = 4 /* of a warp at once */ };

/* A thread has a pack of V channels of every groups-th item; items are pixels or classes. */
template <int V> struct lane_of_block {
    int packs, groups, group, c;

    __device__ explicit lane_of_block(int channels)
        : packs(channels / V), groups(BLOCK / packs), group(threadIdx.x / packs),
          c(threadIdx.x % packs * V) {
    }

    __device__ bool idle() const {
        return group >= groups;
    }
};

/* Sums of the block's groups, to be added one after the other. */
template <int V> struct group_sums { pack<float, V> at[BLOCK]; };

template <int V>
__device__ static void add_groups(float *to, group_sums<V> &sums, const lane_of_block<V> &lane,
                                  const float (&sum)[V], int channels, float factor) {
    if (!lane.idle())
        store_pack(sums.at[threadIdx.x].at, sum);
    __syncthreads();
    for (int c = threadIdx.x; c < channels; c += BLOCK) {
        float total = 0;
        for (int group = 0; group < lane.groups; group++)
            total += ((const float *)sums.at)[group * channels + c];
        to[c] = total * factor;
    }
    __syncthreads();
}

/* --- forward --- */

template <class T, int V>
__device__ static void pool_picture(float *mean, const head_args &args, int n) {
    __shared__ group_sums<V> sums;
    const head_shape &shape = args.shape;
    lane_of_block<V> lane(shape.channels);
    const T *x = (const T *)args.x.data + (size_t)n * shape.plane * shape.channels;
    float sum[V] = {0};
    for (int p = lane.group; !lane.idle() && p < shape.plane; p += lane.groups) {
        float value[V];
        load_pack(value, x + p * shape.channels + lane.c);
#pragma unroll
        for (int v = 0; v < V; v++)
            sum[v] += value[v];
    }
    add_groups(mean, sums, lane, sum, shape.channels, 1.0f / (float)shape.plane);
}

__device__ static void store_means(const head_args &args, const float *mean, int n) {
    int channels = args.shape.channels;
    for (int c = threadIdx.x; args.pooled.data && c < channels; c += BLOCK)
        if (args.pooled.bf16)
            store(((bf16 *)args.pooled.data)[n * channels + c], mean[c]);
        else
            ((float *)args.pooled.data)[n * channels + c] = mean[c];
}

/* A warp has CLASSES neighbouring classes at a time, its lanes share the channels. */
__device__ static void classify(const head_args &args, const float *mean, int n) {
    int lane = threadIdx.x % WARP, classes = args.shape.classes, channels = args.shape.channels;
    for (int k = threadIdx.x / WARP * CLASSES; k < classes; k += WARPS * CLASSES) {
        float sum[CLASSES] = {0};
        for (int c = lane * QUAD; c < channels; c += WARP * QUAD) {
            float m[QUAD], weight[QUAD];
            load_pack(m, mean + c);
#pragma unroll
            for (int j = 0; j < CLASSES; j++) {
                load_pack(weight, args.weight + min(k + j, classes - 1) * channels + c);
#pragma unroll
                for (int i = 0; i < QUAD; i++)
                    sum[j] = fmaf(m[i], weight[i], sum[j]);
            }
        }
#pragma unroll
        for (int j = 0; j < CLASSES; j++) {
            float y = warp_sum(sum[j]);
            if (lane == 0 && k + j < classes)
                args.y[n * classes + k + j] = y + args.bias[k + j];
        }
    }
}

/* E: classes of a lane in the loss; 0: there is none. */
template <class T, int V, int E> __global__ void __launch_bounds__(BLOCK, 2) head(head_args args) {
    __shared__ pack<float, QUAD> mean[LAUNCH_HEAD_CHANNELS_MAX / QUAD];
    int n = blockIdx.x;
    pool_picture<T, V>((float *)mean, args, n);
    store_means(args, (const float *)mean, n);
    classify(args, (const float *)mean, n);
    if constexpr (E > 0) {
        __syncthreads();
        if (threadIdx.x < WARP)
            loss_of_row<float, WARP, E>(args.loss, n, threadIdx.x, nullptr);
    }
}

template <int E> static void launch_with_loss(const struct queue *queue, const head_args &args) {
    with_type(args.x.bf16, (uint32_t)args.shape.channels, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        if constexpr (V > 1)
            LAUNCH_BLOCK((head<T, V, E>), (unsigned)args.shape.n, BLOCK, queue, args);
    });
}

extern "C" void launch_head(const struct queue *queue, const struct head_args *args) {
    if (!args->loss.rows)
        launch_with_loss<0>(queue, *args);
    else if (args->shape.classes <= WARP * 4)
        launch_with_loss<4>(queue, *args);
    else
        launch_with_loss<LAUNCH_HEAD_CLASSES_MAX / WARP>(queue, *args);
}

/* --- backward --- */

template <class To, int V>
__global__ void __launch_bounds__(BLOCK, 2) head_bwd(head_bwd_args args) {
    __shared__ group_sums<QUAD> sums;
    __shared__ pack<float, V> slope[LAUNCH_HEAD_CHANNELS_MAX / V];
    const head_shape &shape = args.shape;
    int n = blockIdx.x, channels = shape.channels, packs = channels / V;
    lane_of_block<QUAD> lane(channels);
    float sum[QUAD] = {0};
#pragma unroll 4
    for (int k = lane.group; k < (lane.idle() ? 0 : shape.classes); k += lane.groups) {
        float weight[QUAD], dy = args.dy[n * shape.classes + k];
        load_pack(weight, args.weight + k * channels + lane.c);
#pragma unroll
        for (int i = 0; i < QUAD; i++)
            sum[i] = fmaf(dy, weight[i], sum[i]);
    }
    add_groups((float *)slope, sums, lane, sum, channels, 1.0f / (float)shape.plane);
    To *dx = (To *)args.dx.data + (size_t)n * shape.plane * channels;
    for (int i = threadIdx.x; i < shape.plane * packs; i += BLOCK) {
        float g[V];
        load_pack(g, slope[i % packs].at);
        store_pack(dx + i * V, g);
    }
}

extern "C" void launch_head_bwd(const struct queue *queue, const struct head_bwd_args *args) {
    with_type(args->dx.bf16, (uint32_t)args->shape.channels, [&](auto type) {
        using To = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        if constexpr (V > 1)
            LAUNCH_BLOCK((head_bwd<To, V>), (unsigned)args->shape.n, BLOCK, queue, *args);
    });
}
