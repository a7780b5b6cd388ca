/*
 * Attention by tiles on tensor cores: factors in bf16, sums in f32. A block has ROWS
 * rows of one head (queries, or tokens for the gradients of keys and values), a warp 16 of them in
 * its registers; the others, the columns, come a tile at a time through shared memory. Weights and
 * slopes are products already where the next product wants its left side, so they never leave the
 * registers. Everything is summed in a fixed order, so no pass needs atomics.
 *
 * In the registers of a product a lane has two rows, lane / 4 and 8 below it: r in the loops. A row
 * is that of four neighbouring lanes, a quad.
 */
#include "engine/backend/cuda/kernels/attention.cuh"

enum { WARPS = 4, THREADS = WARPS * WARP, ROWS = WARPS * 16, COLUMNS = 32 };
enum { STEPS = WIDTH / 16 }; /* products along the channels */
static constexpr float LOG2E = 1.44269504f, LN2 = 0.69314718f;

/* Rows are 16 bytes longer, so that eight of them are on different banks. */
template <int COUNT> struct alignas(16) matrix { bf16 at[COUNT][WIDTH + 8]; };

/* What a warp has of its 16 rows, and of products of them with a tile and with its channels. */
typedef uint32_t left_rows[STEPS][4];
typedef float row_columns[COLUMNS / 8][4];
typedef float row_channels[WIDTH / 8][4];

/* Rows first.. of count become a matrix; what is outside becomes 0. */
template <int V, int COUNT>
__device__ static void load_tile(matrix<COUNT> &to, const bf16 *from, uint32_t row, int first,
                                 int count, int width) {
#pragma unroll 2
    for (int i = threadIdx.x; i < COUNT * WIDTH / V; i += THREADS) {
        int t = i / (WIDTH / V), c = i % (WIDTH / V) * V;
        pack<bf16, V> x = {};
        if (first + t < count && c < width)
            x = *(const pack<bf16, V> *)(from + (first + t) * row + c);
        *(pack<bf16, V> *)&to.at[t][c] = x;
    }
}

/* The warp's rows, from row first on. */
__device__ static void load_rows(left_rows &to, const matrix<ROWS> &from, int first, int lane) {
#pragma unroll
    for (int s = 0; s < STEPS; s++)
        load_matrices(to[s], &from.at[first + lane % 16][16 * s + lane / 16 * 8]);
}

/* Dot products of the rows with the columns. */
__device__ static void dots(row_columns &out, const left_rows &rows, const matrix<COLUMNS> &columns,
                            int lane) {
#pragma unroll
    for (int n = 0; n < COLUMNS / 8; n += 2) {
#pragma unroll
        for (int i = 0; i < 4; i++)
            out[n][i] = out[n + 1][i] = 0;
#pragma unroll
        for (int s = 0; s < STEPS; s++) {
            uint32_t right[4];
            load_matrices(right,
                          &columns.at[8 * n + lane % 8 + lane / 16 * 8][16 * s + lane / 8 % 2 * 8]);
            multiply_add(out[n], rows[s], right[0], right[1]);
            multiply_add(out[n + 1], rows[s], right[2], right[3]);
        }
    }
}

__device__ static uint32_t round_pair(float low, float high) {
    bf16 x, y;
    store(x, low);
    store(y, high);
    return x.bits | (uint32_t)y.bits << 16;
}

/* Adds the tile's columns, weighted. */
__device__ static void add_weighted(row_channels &out, const row_columns &weight,
                                    const matrix<COLUMNS> &columns, int lane) {
#pragma unroll
    for (int s = 0; s < COLUMNS / 16; s++) {
        const float(&x)[4] = weight[2 * s], (&y)[4] = weight[2 * s + 1];
        const uint32_t left[4] = {round_pair(x[0], x[1]), round_pair(x[2], x[3]),
                                  round_pair(y[0], y[1]), round_pair(y[2], y[3])};
#pragma unroll
        for (int n = 0; n < WIDTH / 8; n += 2) {
            uint32_t right[4];
            load_transposed(right, &columns.at[16 * s + lane % 16][8 * n + lane / 16 * 8]);
            multiply_add(out[n], left, right[0], right[1]);
            multiply_add(out[n + 1], left, right[2], right[3]);
        }
    }
}

__device__ static float quad_sum(float x) {
    x += __shfl_xor_sync(0xffffffffu, x, 1);
    return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

__device__ static float quad_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

/* The column of the tile that sum i of product n belongs to. */
__device__ static int column_of(int n, int i, int lane) {
    return 8 * n + lane % 4 * 2 + i % 2;
}

/* Writes the lane's channels of its row r. */
template <int V>
__device__ static void store_row(bf16 *to, const row_channels &x, int r, float factor, int width,
                                 int lane) {
    constexpr int PAIR = V > 1 ? 2 : 1; /* an even width may be stored in pairs */
#pragma unroll
    for (int n = 0; n < WIDTH / 8; n++)
#pragma unroll
        for (int i = 0; i < 2; i += PAIR) {
            int c = column_of(n, i, lane);
            float out[PAIR];
#pragma unroll
            for (int j = 0; j < PAIR; j++)
                out[j] = factor * x[n][2 * r + i + j];
            if (c < width)
                store_pack(to + c, out);
        }
}

/* --- forward --- */

/* Takes a tile's scores, which count in powers of 2, into the running softmax; they become
 * weights. A lane's sum is of its own columns. */
__device__ static void take_scores(row_columns &score, float (&top)[2], float (&sum)[2],
                                   row_channels &out) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
        float larger = top[r], added = 0;
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n++)
            larger = fmaxf(larger, fmaxf(score[n][2 * r], score[n][2 * r + 1]));
        larger = quad_max(larger);
        float keep = exp2_fast(top[r] - larger);
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n++)
#pragma unroll
            for (int i = 2 * r; i < 2 * r + 2; i++) {
                score[n][i] = exp2_fast(score[n][i] - larger);
                added += score[n][i];
            }
        sum[r] = fmaf(sum[r], keep, added);
        top[r] = larger;
#pragma unroll
        for (int n = 0; n < WIDTH / 8; n++) {
            out[n][2 * r] *= keep;
            out[n][2 * r + 1] *= keep;
        }
    }
}

template <int V> __global__ void __launch_bounds__(THREADS) attention_rows(attention_args args) {
    __shared__ matrix<ROWS> q;
    __shared__ matrix<COLUMNS> k, v;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP * 16, first = blockIdx.x * ROWS;
    bool active = first + warp < args.queries;
    head<bf16> of = head_of<bf16>(args, blockIdx.y);
    left_rows rows;
    row_columns score;
    row_channels out = {};
    float top[2] = {-INFINITY, -INFINITY}, sum[2] = {}, scale = of.scale * LOG2E;
    load_tile<V>(q, of.q, of.row, first, args.queries, args.width);
    __syncthreads();
    load_rows(rows, q, warp, lane);
    for (int t = 0; t < args.tokens; t += COLUMNS) {
        load_tile<V>(k, of.k, of.row, t, args.tokens, args.width);
        load_tile<V>(v, of.v, of.row, t, args.tokens, args.width);
        __syncthreads();
        if (active) {
            dots(score, rows, k, lane);
#pragma unroll
            for (int n = 0; n < COLUMNS / 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++)
                    score[n][i] =
                        t + column_of(n, i, lane) < args.tokens ? scale * score[n][i] : -INFINITY;
            take_scores(score, top, sum, out);
            add_weighted(out, score, v, lane);
        }
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < 2; r++) {
        int query = first + warp + lane / 4 + 8 * r;
        float all = quad_sum(sum[r]);
        if (query >= args.queries)
            continue;
        store_row<V>(of.out + query * of.y_row, out, r, 1.0f / all, args.width, lane);
        if (lane % 4 == 0)
            of.lse[query * of.lse_row] = top[r] * LN2 + logf(all);
    }
}

/* --- backward --- */

/* The sum of dy y of a query, in all lanes of its quad. */
template <int V>
__device__ static float center_of(const head<bf16> &of, int query, int width, bool inside,
                                  int lane) {
    float center = 0;
    for (int c = lane % 4 * V; inside && c < width; c += 4 * V) {
        float dy[V], y[V];
        load_pack(dy, of.dy + query * of.y_row + c);
        load_pack(y, of.y + query * of.y_row + c);
#pragma unroll
        for (int v = 0; v < V; v++)
            center = fmaf(dy[v], y[v], center);
    }
    return quad_sum(center);
}

/* Leaves the centers for attention_columns_bwd. */
template <int V>
__global__ void __launch_bounds__(THREADS) attention_rows_bwd(attention_args args) {
    __shared__ matrix<ROWS> q, dy;
    __shared__ matrix<COLUMNS> k, v;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP * 16, first = blockIdx.x * ROWS;
    bool active = first + warp < args.queries;
    head<bf16> of = head_of<bf16>(args, blockIdx.y);
    left_rows q_rows, dy_rows;
    row_columns slope, dp;
    row_channels dq = {};
    float center[2], lse[2];
#pragma unroll
    for (int r = 0; r < 2; r++) {
        int query = first + warp + lane / 4 + 8 * r;
        bool inside = query < args.queries;
        center[r] = center_of<V>(of, query, args.width, inside, lane);
        lse[r] = inside ? of.lse[query * of.lse_row] * LOG2E : 0.0f;
        if (inside && lane % 4 == 0)
            of.center[query * of.lse_row] = center[r];
    }
    load_tile<V>(q, of.q, of.row, first, args.queries, args.width);
    load_tile<V>(dy, of.dy, of.y_row, first, args.queries, args.width);
    __syncthreads();
    load_rows(q_rows, q, warp, lane);
    load_rows(dy_rows, dy, warp, lane);
    for (int t = 0; t < args.tokens; t += COLUMNS) {
        load_tile<V>(k, of.k, of.row, t, args.tokens, args.width);
        load_tile<V>(v, of.v, of.row, t, args.tokens, args.width);
        __syncthreads();
        if (active) {
            dots(slope, q_rows, k, lane);
            dots(dp, dy_rows, v, lane);
#pragma unroll
            for (int n = 0; n < COLUMNS / 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    bool inside = t + column_of(n, i, lane) < args.tokens;
                    float score = of.scale * LOG2E * slope[n][i];
                    float p = inside ? exp2_fast(score - lse[i / 2]) : 0.0f;
                    slope[n][i] = of.scale * p * (dp[n][i] - center[i / 2]);
                }
            add_weighted(dq, slope, k, lane);
        }
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < 2; r++) {
        int query = first + warp + lane / 4 + 8 * r;
        if (query < args.queries)
            store_row<V>(of.dq + query * of.row, dq, r, 1.0f, args.width, lane);
    }
}

/* Rows are tokens here, columns queries. */
template <int V>
__global__ void __launch_bounds__(THREADS) attention_columns_bwd(attention_args args) {
    __shared__ matrix<ROWS> k, v;
    __shared__ matrix<COLUMNS> q, dy;
    __shared__ float lse[COLUMNS], center[COLUMNS];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP * 16, first = blockIdx.x * ROWS;
    bool active = first + warp < args.tokens;
    head<bf16> of = head_of<bf16>(args, blockIdx.y);
    left_rows k_rows, v_rows;
    row_columns look, slope;
    row_channels dk = {}, dv = {};
    load_tile<V>(k, of.k, of.row, first, args.tokens, args.width);
    load_tile<V>(v, of.v, of.row, first, args.tokens, args.width);
    __syncthreads();
    load_rows(k_rows, k, warp, lane);
    load_rows(v_rows, v, warp, lane);
    for (int t = 0; t < args.queries; t += COLUMNS) {
        load_tile<V>(q, of.q, of.row, t, args.queries, args.width);
        load_tile<V>(dy, of.dy, of.y_row, t, args.queries, args.width);
        if (threadIdx.x < COLUMNS && t + (int)threadIdx.x < args.queries) {
            lse[threadIdx.x] = of.lse[(t + threadIdx.x) * of.lse_row] * LOG2E;
            center[threadIdx.x] = of.center[(t + threadIdx.x) * of.lse_row];
        }
        __syncthreads();
        if (active) {
            dots(look, k_rows, q, lane);
            dots(slope, v_rows, dy, lane);
#pragma unroll
            for (int n = 0; n < COLUMNS / 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    int column = column_of(n, i, lane);
                    bool inside = t + column < args.queries;
                    float score = of.scale * LOG2E * look[n][i];
                    look[n][i] = inside ? exp2_fast(score - lse[column]) : 0.0f;
                    slope[n][i] =
                        inside ? of.scale * look[n][i] * (slope[n][i] - center[column]) : 0.0f;
                }
            add_weighted(dv, look, dy, lane);
            add_weighted(dk, slope, q, lane);
        }
        __syncthreads();
    }
    const row_channels none = {};
#pragma unroll
    for (int r = 0; r < 2; r++) {
        int token = first + warp + lane / 4 + 8 * r;
        if (token >= args.tokens)
            continue;
        store_row<V>(of.dk + token * of.row, dk, r, 1.0f, args.width, lane);
        store_row<V>(of.dv + token * of.row, dv, r, 1.0f, args.width, lane);
        if (token >= args.queries)
            store_row<V>(of.dq + token * of.row, none, r, 1.0f, args.width, lane);
    }
}

/* --- launches --- */

/* Calls f with how many neighbours of a head a pack has. */
template <class F> static void with_pack(const struct attention_args *args, F f) {
    if (args->width % 8 == 0)
        f(number_type<bf16, 8>{});
    else
        f(number_type<bf16, 1>{});
}

void attention_matrix(const struct queue *queue, const struct attention_args *args) {
    with_pack(args, [&](auto type) {
        constexpr int V = decltype(type)::width;
        LAUNCH_BLOCK(attention_rows<V>, attention_grid(args, args->queries, ROWS), THREADS, queue,
                     *args);
    });
}

void attention_matrix_bwd(const struct queue *queue, const struct attention_args *args) {
    with_pack(args, [&](auto type) {
        constexpr int V = decltype(type)::width;
        LAUNCH_BLOCK(attention_rows_bwd<V>, attention_grid(args, args->queries, ROWS), THREADS,
                     queue, *args);
        LAUNCH_BLOCK(attention_columns_bwd<V>, attention_grid(args, args->tokens, ROWS), THREADS,
                     queue, *args);
    });
}
