/*
 * Attention, plainly: a warp has a query (or, for the gradients of keys and values, a token) and
 * keeps its row of scores in shared memory; lanes share tokens first, then channels. Everything is
 * summed in a fixed order, so no pass needs atomics.
 */
#include "engine/backend/cuda/kernels/device.cuh"
#include "engine/backend/cuda/launch_token.h"

#include <math.h>

static constexpr int WARPS = 4;

/* One head of one picture. */
template <class T> struct head {
    const T *q, *k, *v, *y, *dy;
    T *out, *dq, *dk, *dv;
    uint32_t row, y_row, lse_row;
    float *lse, *center;
    float scale;
};

template <class T> __device__ static head<T> head_of(const attention_args &args, int which) {
    int n = which / args.heads, h = which % args.heads;
    head<T> of;
    of.y_row = args.heads * args.width;
    of.row = 3 * of.y_row;
    of.lse_row = args.heads;
    size_t from = (size_t)n * args.tokens * of.row + h * args.width;
    size_t to = (size_t)n * args.queries * of.y_row + h * args.width;
    of.q = (const T *)args.qkv.data + from;
    of.k = of.q + of.y_row;
    of.v = of.k + of.y_row;
    of.dq = (T *)args.dqkv.data + from;
    of.dk = of.dq + of.y_row;
    of.dv = of.dk + of.y_row;
    of.y = (const T *)args.y.data + to;
    of.out = (T *)args.y.data + to;
    of.dy = (const T *)args.dy.data + to;
    of.lse = args.lse + (size_t)n * args.queries * args.heads + h;
    of.center = args.center + (size_t)n * args.queries * args.heads + h;
    of.scale = 1.0f / sqrtf((float)args.width);
    return of;
}

template <class T> __device__ static float dot(const T *a, const T *b, int n) {
    float sum = 0;
    for (int i = 0; i < n; i++)
        sum = fmaf(load(a[i]), load(b[i]), sum);
    return sum;
}

/* out[i] = sum over t < count of p[t] rows[t][i], channels shared by the lanes. */
template <class T>
__device__ static void weighted_sum(T *out, const float *p, const T *rows, uint32_t row, int count,
                                    int width, int lane) {
    for (int i = lane; i < width; i += WARP) {
        float sum = 0;
        for (int t = 0; t < count; t++)
            sum = fmaf(p[t], load(rows[t * row + i]), sum);
        store(out[i], sum);
    }
}

template <class T> __global__ void __launch_bounds__(WARPS *WARP) attention(attention_args args) {
    __shared__ float scores[WARPS][LAUNCH_TOKENS_MAX];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, query = blockIdx.x * WARPS + warp;
    if (query >= args.queries)
        return;
    head<T> of = head_of<T>(args, blockIdx.y);
    float *p = scores[warp], top = -INFINITY, sum = 0;
    for (int t = lane; t < args.tokens; t += WARP) {
        p[t] = of.scale * dot(of.q + query * of.row, of.k + t * of.row, args.width);
        top = fmaxf(top, p[t]);
    }
    top = warp_max(top);
    for (int t = lane; t < args.tokens; t += WARP)
        sum += p[t] = expf(p[t] - top);
    sum = warp_sum(sum);
    for (int t = lane; t < args.tokens; t += WARP)
        p[t] /= sum;
    __syncwarp();
    weighted_sum(of.out + query * of.y_row, p, of.v, of.row, args.tokens, args.width, lane);
    if (lane == 0)
        of.lse[query * of.lse_row] = top + logf(sum);
}

/* The probability of a query's look at a token, and the gradient of its score times scale. */
template <class T>
__device__ static float2 gradient_of_score(const attention_args &args, const head<T> &of, int query,
                                           int t, float center) {
    float score = of.scale * dot(of.q + query * of.row, of.k + t * of.row, args.width);
    float p = expf(score - of.lse[query * of.lse_row]);
    float dp = dot(of.dy + query * of.y_row, of.v + t * of.row, args.width);
    return make_float2(p, of.scale * p * (dp - center));
}

template <class T>
__global__ void __launch_bounds__(WARPS *WARP) attention_dq(attention_args args) {
    __shared__ float scores[WARPS][LAUNCH_TOKENS_MAX];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, query = blockIdx.x * WARPS + warp;
    if (query >= args.queries)
        return;
    head<T> of = head_of<T>(args, blockIdx.y);
    float center = 0;
    for (int i = lane; i < args.width; i += WARP)
        center = fmaf(load(of.dy[query * of.y_row + i]), load(of.y[query * of.y_row + i]), center);
    center = warp_sum(center);
    if (lane == 0)
        of.center[query * of.lse_row] = center;
    for (int t = lane; t < args.tokens; t += WARP)
        scores[warp][t] = gradient_of_score(args, of, query, t, center).y;
    __syncwarp();
    weighted_sum(of.dq + query * of.row, scores[warp], of.k, of.row, args.tokens, args.width, lane);
}

/* Needs the centers that attention_dq has left. */
template <class T>
__global__ void __launch_bounds__(WARPS *WARP) attention_dkv(attention_args args) {
    __shared__ float looks[WARPS][LAUNCH_TOKENS_MAX], slopes[WARPS][LAUNCH_TOKENS_MAX];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, token = blockIdx.x * WARPS + warp;
    if (token >= args.tokens)
        return;
    head<T> of = head_of<T>(args, blockIdx.y);
    for (int query = lane; query < args.queries; query += WARP) {
        float2 g = gradient_of_score(args, of, query, token, of.center[query * of.lse_row]);
        looks[warp][query] = g.x;
        slopes[warp][query] = g.y;
    }
    __syncwarp();
    weighted_sum(of.dv + token * of.row, looks[warp], of.dy, of.y_row, args.queries, args.width,
                 lane);
    weighted_sum(of.dk + token * of.row, slopes[warp], of.q, of.row, args.queries, args.width,
                 lane);
    for (int i = lane; token >= args.queries && i < args.width; i += WARP)
        store(of.dq[token * of.row + i], 0.0f);
}

static dim3 grid_of(const struct attention_args *args, int rows) {
    return dim3((unsigned)(rows + WARPS - 1) / WARPS, (unsigned)(args->n * args->heads));
}

extern "C" void launch_attention(const struct queue *queue, const struct attention_args *args) {
    dim3 grid = grid_of(args, args->queries);
    if (args->qkv.bf16)
        LAUNCH_BLOCK(attention<bf16>, grid, WARPS * WARP, queue, *args);
    else
        LAUNCH_BLOCK(attention<float>, grid, WARPS * WARP, queue, *args);
}

template <class T>
static void launch_bwd(const struct queue *queue, const struct attention_args *args) {
    LAUNCH_BLOCK(attention_dq<T>, grid_of(args, args->queries), WARPS * WARP, queue, *args);
    LAUNCH_BLOCK(attention_dkv<T>, grid_of(args, args->tokens), WARPS * WARP, queue, *args);
}

extern "C" void launch_attention_bwd(const struct queue *queue, const struct attention_args *args) {
    if (args->qkv.bf16)
        launch_bwd<bf16>(queue, args);
    else
        launch_bwd<float>(queue, args);
}
