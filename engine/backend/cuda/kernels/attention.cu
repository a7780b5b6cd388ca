/*
 * Attention by tiles, in f32 (attention_matrix.cu has bf16 where the card can): a block has TILE
 * rows of one head (queries, or tokens for the gradients of keys and values) and goes over the
 * others, its columns, a tile at a time through shared memory. A warp has ROWS rows. For dot
 * products a lane has a column, for weighted sums two channels. Everything is summed in a fixed
 * order, so no pass needs atomics.
 *
 * The softmax is taken as tiles come: top and sum of what has been seen, and when a larger score
 * appears, what was summed is scaled down.
 */
#include "engine/backend/cuda/kernels/attention.cuh"

enum { WARPS = 4, TILE = WARP, ROWS = TILE / WARPS, THREADS = WARPS * WARP };
enum { CHANNELS = WIDTH / WARP };

/* Numbers of TILE rows; rows are four floats longer, so that lanes that read a row each do not meet
 * on a bank. */
struct tile {
    pack<float, 4> at[TILE][WIDTH / 4 + 1];
};

/* Weights of the block's rows for a tile of columns; a warp writes and reads its own rows. */
struct weights {
    pack<float, 4> at[TILE][TILE / 4 + 1];
};

/* Rows first.. of count become a tile; what is outside becomes 0. */
template <int V, class T>
__device__ static void load_tile(tile &to, const T *from, uint32_t row, int first, int count,
                                 int width) {
#pragma unroll 1
    for (int i = threadIdx.x; i < TILE * WIDTH / V; i += THREADS) {
        int t = i / (WIDTH / V), c = i % (WIDTH / V) * V;
        float x[V] = {0};
        if (first + t < count && c < width)
            load_pack(x, from + (first + t) * row + c);
        if constexpr (V == 1)
            to.at[t][c / 4].at[c % 4] = x[0];
        else
#pragma unroll
            for (int v = 0; v < V; v += 4)
                to.at[t][(c + v) / 4] = pack<float, 4>{{x[v], x[v + 1], x[v + 2], x[v + 3]}};
    }
}

/* Dot products of the warp's rows with the lane's column. */
__device__ static void dots(float (&out)[ROWS], const tile &rows, const tile &columns, int first,
                            int lane) {
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        out[r] = 0;
#pragma unroll 4
    for (int i = 0; i < WIDTH / 4; i++) {
        pack<float, 4> column = columns.at[lane][i];
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            pack<float, 4> row = rows.at[first + r][i];
#pragma unroll
            for (int j = 0; j < 4; j++)
                out[r] = fmaf(row.at[j], column.at[j], out[r]);
        }
    }
}

/* Adds the tile's columns, weighted, to the lane's channels of the warp's rows. */
__device__ static void add_weighted(float (&out)[ROWS][CHANNELS], const weights &weights,
                                    const tile &columns, int first, int lane) {
#pragma unroll 2
    for (int t = 0; t < TILE; t += 4) {
        float x[4][CHANNELS];
#pragma unroll
        for (int j = 0; j < 4; j++)
            load_pack(x[j], (const float *)columns.at[t + j] + lane * CHANNELS);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            pack<float, 4> weight = weights.at[first + r][t / 4];
#pragma unroll
            for (int j = 0; j < 4; j++)
#pragma unroll
                for (int c = 0; c < CHANNELS; c++)
                    out[r][c] = fmaf(weight.at[j], x[j][c], out[r][c]);
        }
    }
}

/* Puts the lane's weights where add_weighted finds them. */
__device__ static void share(weights &to, const float (&weight)[ROWS], int first, int lane) {
    __syncwarp();
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        to.at[first + r][lane / 4].at[lane % 4] = weight[r];
    __syncwarp();
}

/* Writes the lane's channels of a row. */
template <class T>
__device__ static void store_row(T *to, const float (&x)[CHANNELS], float factor, int width,
                                 int lane) {
#pragma unroll
    for (int c = 0; c < CHANNELS; c++)
        if (lane * CHANNELS + c < width)
            store(to[lane * CHANNELS + c], factor * x[c]);
}

/* --- forward --- */

/* Takes a tile's scores into the running softmax; they become weights. */
__device__ static void take_scores(float (&score)[ROWS], float (&top)[ROWS], float (&sum)[ROWS],
                                   float (&out)[ROWS][CHANNELS]) {
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        float larger = fmaxf(top[r], warp_max(score[r])), keep = expf(top[r] - larger);
        score[r] = expf(score[r] - larger);
        sum[r] = fmaf(sum[r], keep, warp_sum(score[r]));
        top[r] = larger;
#pragma unroll
        for (int c = 0; c < CHANNELS; c++)
            out[r][c] *= keep;
    }
}

template <class T, int V>
__global__ void __launch_bounds__(THREADS) attention(attention_args args) {
    __shared__ tile q, k, v;
    __shared__ weights p;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP * ROWS, first = blockIdx.x * TILE;
    head<T> of = head_of<T>(args, blockIdx.y);
    float out[ROWS][CHANNELS] = {}, score[ROWS], top[ROWS], sum[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        top[r] = -INFINITY;
        sum[r] = 0;
    }
    load_tile<V>(q, of.q, of.row, first, args.queries, args.width);
    for (int t = 0; t < args.tokens; t += TILE) {
        load_tile<V>(k, of.k, of.row, t, args.tokens, args.width);
        load_tile<V>(v, of.v, of.row, t, args.tokens, args.width);
        __syncthreads();
        dots(score, q, k, warp, lane);
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            score[r] = t + lane < args.tokens ? of.scale * score[r] : -INFINITY;
        take_scores(score, top, sum, out);
        share(p, score, warp, lane);
        add_weighted(out, p, v, warp, lane);
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        int query = first + warp + r;
        if (query >= args.queries)
            break;
        store_row(of.out + query * of.y_row, out[r], 1.0f / sum[r], args.width, lane);
        if (lane == 0)
            of.lse[query * of.lse_row] = top[r] + logf(sum[r]);
    }
}

/* --- backward --- */

/* The sum of dy y of a query, in all lanes. */
template <class T>
__device__ static float center_of(const attention_args &args, const head<T> &of, int query,
                                  int lane) {
    float center = 0;
    for (int i = lane; query < args.queries && i < args.width; i += WARP)
        center = fmaf(load(of.dy[query * of.y_row + i]), load(of.y[query * of.y_row + i]), center);
    return warp_sum(center);
}

/* Leaves the centers for attention_dkv. */
template <class T, int V>
__global__ void __launch_bounds__(THREADS) attention_dq(attention_args args) {
    __shared__ tile q, dy, k, v;
    __shared__ weights slopes;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP * ROWS, first = blockIdx.x * TILE;
    head<T> of = head_of<T>(args, blockIdx.y);
    float dq[ROWS][CHANNELS] = {}, score[ROWS], dp[ROWS], center[ROWS], lse[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        int query = first + warp + r;
        center[r] = center_of(args, of, query, lane);
        lse[r] = query < args.queries ? of.lse[query * of.lse_row] : 0.0f;
        if (lane == 0 && query < args.queries)
            of.center[query * of.lse_row] = center[r];
    }
    load_tile<V>(q, of.q, of.row, first, args.queries, args.width);
    load_tile<V>(dy, of.dy, of.y_row, first, args.queries, args.width);
    for (int t = 0; t < args.tokens; t += TILE) {
        load_tile<V>(k, of.k, of.row, t, args.tokens, args.width);
        load_tile<V>(v, of.v, of.row, t, args.tokens, args.width);
        __syncthreads();
        dots(score, q, k, warp, lane);
        dots(dp, dy, v, warp, lane);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            float p = t + lane < args.tokens ? expf(of.scale * score[r] - lse[r]) : 0.0f;
            score[r] = of.scale * p * (dp[r] - center[r]);
        }
        share(slopes, score, warp, lane);
        add_weighted(dq, slopes, k, warp, lane);
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        if (first + warp + r < args.queries)
            store_row(of.dq + (first + warp + r) * of.row, dq[r], 1.0f, args.width, lane);
}

template <class T, int V>
__global__ void __launch_bounds__(THREADS) attention_dkv(attention_args args) {
    __shared__ tile k, v, q, dy;
    __shared__ weights shared;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP * ROWS, first = blockIdx.x * TILE;
    head<T> of = head_of<T>(args, blockIdx.y);
    float dk[ROWS][CHANNELS] = {}, dv[ROWS][CHANNELS] = {}, look[ROWS], slope[ROWS];
    load_tile<V>(k, of.k, of.row, first, args.tokens, args.width);
    load_tile<V>(v, of.v, of.row, first, args.tokens, args.width);
    for (int t = 0; t < args.queries; t += TILE) {
        bool inside = t + lane < args.queries;
        float lse = inside ? of.lse[(t + lane) * of.lse_row] : 0.0f;
        float center = inside ? of.center[(t + lane) * of.lse_row] : 0.0f;
        load_tile<V>(q, of.q, of.row, t, args.queries, args.width);
        load_tile<V>(dy, of.dy, of.y_row, t, args.queries, args.width);
        __syncthreads();
        dots(look, k, q, warp, lane);
        dots(slope, v, dy, warp, lane);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            look[r] = inside ? expf(of.scale * look[r] - lse) : 0.0f;
            slope[r] = of.scale * look[r] * (slope[r] - center);
        }
        share(shared, look, warp, lane);
        add_weighted(dv, shared, dy, warp, lane);
        share(shared, slope, warp, lane);
        add_weighted(dk, shared, q, warp, lane);
        __syncthreads();
    }
    const float none[CHANNELS] = {};
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        int token = first + warp + r;
        if (token >= args.tokens)
            break;
        store_row(of.dk + token * of.row, dk[r], 1.0f, args.width, lane);
        store_row(of.dv + token * of.row, dv[r], 1.0f, args.width, lane);
        if (token >= args.queries)
            store_row(of.dq + token * of.row, none, 1.0f, args.width, lane);
    }
}

/* --- launches --- */

extern "C" void launch_attention(const struct queue *queue, const struct attention_args *args) {
    if (args->qkv.bf16 && queue->tensor_cores) {
        attention_matrix(queue, args);
        return;
    }
    with_type(args->qkv.bf16, (uint32_t)args->width, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        LAUNCH_BLOCK((attention<T, V>), attention_grid(args, args->queries, TILE), THREADS, queue,
                     *args);
    });
}

extern "C" void launch_attention_bwd(const struct queue *queue, const struct attention_args *args) {
    if (args->qkv.bf16 && queue->tensor_cores) {
        attention_matrix_bwd(queue, args);
        return;
    }
    with_type(args->qkv.bf16, (uint32_t)args->width, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        LAUNCH_BLOCK((attention_dq<T, V>), attention_grid(args, args->queries, TILE), THREADS,
                     queue, *args);
        LAUNCH_BLOCK((attention_dkv<T, V>), attention_grid(args, args->tokens, TILE), THREADS,
                     queue, *args);
    });
}
