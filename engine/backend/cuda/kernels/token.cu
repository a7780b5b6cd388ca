/* The ends of a transformer, layer norm, GELU, residual branches. */
#include "engine/backend/cuda/kernels/columns.cuh"
#include "engine/backend/cuda/launch_token.h"

#include "engine/graph/drop_path.h"
#include "engine/graph/program.h"

/* Calls f with the type of x alone, for kernels that take one number at a time. */
template <class F> static void with_number(bool is_bf16, F f) {
    if (is_bf16)
        f(bf16{});
    else
        f(float{});
}

/* --- the ends --- */

template <class T> __global__ void embed(token_args args, const T *x, T *y) {
    GRID_LOOP(i, (uint32_t)(args.n * args.tokens * args.c)) {
        int c = i % args.c, t = i / args.c % args.tokens, n = i / (args.c * args.tokens);
        float token = t ? load(x[((uint32_t)n * (args.tokens - 1) + t - 1) * args.c + c])
                        : args.class_token[c];
        if (t || args.all)
            token += args.position[(t - !args.all) * args.c + c];
        store(y[i], token);
    }
}

extern "C" void launch_embed(const struct queue *queue, const struct token_args *args) {
    with_number(args->y.bf16, [&](auto number) {
        typedef decltype(number) T;
        LAUNCH(embed, loop_blocks(queue, (uint32_t)(args->n * args->tokens * args->c)), BLOCK,
               queue, *args, (const T *)args->x.data, (T *)args->y.data);
    });
}

/* A thread goes over the pictures for a token's channel. */
template <class T> __global__ void embed_bwd(token_args args, const T *dy, T *dx) {
    GRID_LOOP(i, (uint32_t)(args.tokens * args.c)) {
        int c = i % args.c, t = i / args.c;
        float sum = 0;
        for (int n = 0; n < args.n; n++) {
            float g = load(dy[((uint32_t)n * args.tokens + t) * args.c + c]);
            sum += g;
            if (t)
                store(dx[((uint32_t)n * (args.tokens - 1) + t - 1) * args.c + c], g);
        }
        if (t == 0)
            args.dclass[c] = sum;
        if (t || args.all)
            args.dposition[(t - !args.all) * args.c + c] = sum;
    }
}

extern "C" void launch_embed_bwd(const struct queue *queue, const struct token_args *args) {
    with_number(args->dy.bf16, [&](auto number) {
        typedef decltype(number) T;
        LAUNCH(embed_bwd, loop_blocks(queue, (uint32_t)(args->tokens * args->c)), BLOCK, queue,
               *args, (const T *)args->dy.data, (T *)args->dx.data);
    });
}

template <class From, class To> __global__ void first_token(token_args args, const From *x, To *y) {
    GRID_LOOP(i, (uint32_t)(args.n * args.c))
    store(y[i], load(x[i / args.c * args.tokens * args.c + i % args.c]));
}

template <class From, class To>
__global__ void first_token_bwd(token_args args, const From *dy, To *dx) {
    GRID_LOOP(i, (uint32_t)(args.n * args.tokens * args.c)) {
        uint32_t n = i / (args.tokens * args.c), c = i % args.c;
        bool first = i / args.c % args.tokens == 0;
        store(dx[i], first ? load(dy[n * args.c + c]) : 0.0f);
    }
}

extern "C" void launch_first_token(const struct queue *queue, const struct token_args *args) {
    unsigned blocks = loop_blocks(queue, (uint32_t)(args->n * args->c));
    with_number(args->x.bf16, [&](auto from) {
        with_number(args->y.bf16, [&](auto to) {
            LAUNCH(first_token, blocks, BLOCK, queue, *args, (const decltype(from) *)args->x.data,
                   (decltype(to) *)args->y.data);
        });
    });
}

extern "C" void launch_first_token_bwd(const struct queue *queue, const struct token_args *args) {
    unsigned blocks = loop_blocks(queue, (uint32_t)(args->n * args->tokens * args->c));
    with_number(args->dy.bf16, [&](auto from) {
        with_number(args->dx.bf16, [&](auto to) {
            LAUNCH(first_token_bwd, blocks, BLOCK, queue, *args,
                   (const decltype(from) *)args->dy.data, (decltype(to) *)args->dx.data);
        });
    });
}

/* --- layer norm: a warp has a token --- */

template <class T, int V>
__global__ void __launch_bounds__(BLOCK) layer_norm(token_args args, const T *in, T *out) {
    uint32_t token = blockIdx.x * (BLOCK / WARP) + threadIdx.x / WARP;
    int first = threadIdx.x % WARP * V;
    if (token >= (uint32_t)(args.n * args.tokens))
        return;
    const T *x = in + (size_t)token * args.c;
    T *y = out + (size_t)token * args.c;
    float sum = 0, square = 0, at[V], gamma[V], beta[V];
    for (int i = first; i < args.c; i += WARP * V) {
        load_pack(at, x + i);
#pragma unroll
        for (int v = 0; v < V; v++)
            sum += at[v];
    }
    float mean = warp_sum(sum) / (float)args.c;
    for (int i = first; i < args.c; i += WARP * V) {
        load_pack(at, x + i);
#pragma unroll
        for (int v = 0; v < V; v++)
            square = fmaf(at[v] - mean, at[v] - mean, square);
    }
    float rstd = 1.0f / sqrtf(warp_sum(square) / (float)args.c + args.eps);
    for (int i = first; i < args.c; i += WARP * V) {
        load_pack(at, x + i);
        load_pack(gamma, args.gamma + i);
        load_pack(beta, args.beta + i);
#pragma unroll
        for (int v = 0; v < V; v++)
            at[v] = fmaf((at[v] - mean) * rstd, gamma[v], beta[v]);
        store_pack(y + i, at);
    }
    if (first == 0) {
        args.mean_out[token] = mean;
        args.rstd_out[token] = rstd;
    }
}

static unsigned token_blocks(const struct token_args *args) {
    return (unsigned)(args->n * args->tokens + BLOCK / WARP - 1) / (BLOCK / WARP);
}

extern "C" void launch_layer_norm(const struct queue *queue, const struct token_args *args) {
    with_type(args->x.bf16, (uint32_t)args->c, [&](auto type) {
        using T = typename decltype(type)::type;
        LAUNCH_BLOCK((layer_norm<T, decltype(type)::width>), token_blocks(args), BLOCK, queue,
                     *args, (const T *)args->x.data, (T *)args->y.data);
    });
}

/* dgamma and dbeta, over chunks of tokens. */
template <class T, int V>
__global__ void __launch_bounds__(COLUMN_THREADS)
    layer_norm_sums(token_args args, extent extent, tiling t) {
    position at = position_of<V>(t, extent);
    float dbeta[V] = {0}, dgamma[V] = {0};
    for (uint32_t p = at.begin + at.row; at.active && p < at.end; p += t.rows) {
        float g[V], x[V];
        load_pack(g, (const T *)args.dy.data + (size_t)p * extent.channels + at.c);
        load_pack(x, (const T *)args.x.data + (size_t)p * extent.channels + at.c);
#pragma unroll
        for (int v = 0; v < V; v++) {
            dbeta[v] += g[v];
            dgamma[v] = fmaf(g[v], (x[v] - args.mean[p]) * args.rstd[p], dgamma[v]);
        }
    }
    store_sums((float *)args.workspace, dbeta, dgamma, t, at, extent.channels);
}

template <class T, int V>
__global__ void __launch_bounds__(BLOCK)
    layer_norm_dx(token_args args, const T *dy, const T *x, const T *dx2, T *dx) {
    uint32_t token = blockIdx.x * (BLOCK / WARP) + threadIdx.x / WARP;
    if (token >= (uint32_t)(args.n * args.tokens))
        return;
    size_t begin = (size_t)token * args.c, end = begin + args.c;
    size_t first = begin + threadIdx.x % WARP * V;
    float mean = args.mean[token], rstd = args.rstd[token], sum = 0, sum_n = 0;
    float g[V], n[V], gamma[V], other[V] = {0};
    for (size_t i = first; i < end; i += WARP * V) {
        load_pack(g, dy + i);
        load_pack(n, x + i);
        load_pack(gamma, args.gamma + (i - begin));
#pragma unroll
        for (int v = 0; v < V; v++) {
            sum += gamma[v] * g[v];
            sum_n = fmaf(gamma[v] * g[v], (n[v] - mean) * rstd, sum_n);
        }
    }
    sum = warp_sum(sum) / (float)args.c;
    sum_n = warp_sum(sum_n) / (float)args.c;
    for (size_t i = first; i < end; i += WARP * V) {
        load_pack(g, dy + i);
        load_pack(n, x + i);
        load_pack(gamma, args.gamma + (i - begin));
        if (dx2)
            load_pack(other, dx2 + i);
#pragma unroll
        for (int v = 0; v < V; v++)
            g[v] = rstd * (gamma[v] * g[v] - sum - (n[v] - mean) * rstd * sum_n) + other[v];
        store_pack(dx + i, g);
    }
}

/* The sums come first: dx may lie where dx2 does, but never where x or dy do. */
extern "C" void launch_layer_norm_bwd(const struct queue *queue, const struct token_args *args) {
    struct extent extent = {(uint32_t)(args->n * args->tokens), (uint32_t)args->c};
    with_type(args->x.bf16, extent.channels, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        struct tiling t = tiling_of(extent, V);
        LAUNCH_BLOCK((layer_norm_sums<T, V>), dim3(t.tiles, t.chunks), COLUMN_THREADS, queue, *args,
                     extent, t);
        launch_finish(queue, (const float *)args->workspace, t.chunks, 2 * extent.channels,
                      column_sums{args->dbeta, args->dgamma, extent.channels});
        LAUNCH_BLOCK((layer_norm_dx<T, V>), token_blocks(args), BLOCK, queue, *args,
                     (const T *)args->dy.data, (const T *)args->x.data, (const T *)args->dx2.data,
                     (T *)args->dx.data);
    });
}

/* --- GELU --- */

template <class T, int V> __global__ void gelu_forward(const T *x, T *y, uint32_t packs) {
    GRID_LOOP(i, packs) {
        float at[V];
        load_pack(at, x + (size_t)i * V);
#pragma unroll
        for (int v = 0; v < V; v++)
            at[v] = gelu(at[v]);
        store_pack(y + (size_t)i * V, at);
    }
}

__device__ static float gelu_slope(float x) {
    float density = 0.39894228f * expf(-0.5f * x * x);
    return fmaf(x, density, 0.5f * erfcf(-x * 0.70710678f));
}

template <class T, int V>
__global__ void gelu_backward(const T *dy, const T *x, T *dx, uint32_t packs) {
    GRID_LOOP(i, packs) {
        float g[V], at[V];
        load_pack(g, dy + (size_t)i * V);
        load_pack(at, x + (size_t)i * V);
#pragma unroll
        for (int v = 0; v < V; v++)
            g[v] *= gelu_slope(at[v]);
        store_pack(dx + (size_t)i * V, g);
    }
}

extern "C" void launch_gelu(const struct queue *queue, const struct token_args *args) {
    with_type(args->x.bf16, (uint32_t)args->c, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        uint32_t packs = (uint32_t)(args->n * args->tokens * args->c) / V;
        LAUNCH((gelu_forward<T, V>), loop_blocks(queue, packs), BLOCK, queue,
               (const T *)args->x.data, (T *)args->y.data, packs);
    });
}

extern "C" void launch_gelu_bwd(const struct queue *queue, const struct token_args *args) {
    with_type(args->x.bf16, (uint32_t)args->c, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        uint32_t packs = (uint32_t)(args->n * args->tokens * args->c) / V;
        LAUNCH((gelu_backward<T, V>), loop_blocks(queue, packs), BLOCK, queue,
               (const T *)args->dy.data, (const T *)args->x.data, (T *)args->dx.data, packs);
    });
}

/* --- residual branches --- */

__device__ static float keep_of(const token_args &args, uint32_t picture) {
    const struct step *step = (const struct step *)args.step;
    return drop_path_keep(step->seed, step->index, args.layer, (int)picture, args.drop);
}

template <class T, int V>
__global__ void residual(token_args args, const T *x, const T *branch, T *y) {
    GRID_LOOP(i, (uint32_t)(args.n * args.tokens * args.c) / V) {
        uint32_t first = i * V;
        float keep = keep_of(args, first / (args.tokens * args.c)), at[V], more[V], scale[V];
        load_pack(at, x + first);
        load_pack(more, branch + first);
        if (args.scale)
            load_pack(scale, args.scale + first % args.c);
#pragma unroll
        for (int v = 0; v < V; v++)
            at[v] = fmaf(args.scale ? keep * scale[v] : keep, more[v], at[v]);
        store_pack(y + first, at);
    }
}

extern "C" void launch_residual(const struct queue *queue, const struct token_args *args) {
    with_type(args->x.bf16, (uint32_t)args->c, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        unsigned blocks = loop_blocks(queue, (uint32_t)(args->n * args->tokens * args->c) / V);
        LAUNCH((residual<T, V>), blocks, BLOCK, queue, *args, (const T *)args->x.data,
               (const T *)args->branch.data, (T *)args->y.data);
    });
}

/* dscale over chunks of tokens; dbranch is written on the way. */
template <class T, int V>
__global__ void __launch_bounds__(COLUMN_THREADS)
    residual_bwd(token_args args, extent extent, tiling t) {
    position at = position_of<V>(t, extent);
    float sum[V] = {0}, none[V] = {0}, scale[V];
    for (int v = 0; v < V; v++)
        scale[v] = args.scale && at.active ? args.scale[at.c + v] : 1.0f;
    for (uint32_t p = at.begin + at.row; at.active && p < at.end; p += t.rows) {
        size_t i = (size_t)p * extent.channels + at.c;
        float keep = keep_of(args, p / args.tokens), g[V], branch[V];
        load_pack(g, (const T *)args.dy.data + i);
        load_pack(branch, (const T *)args.branch.data + i);
#pragma unroll
        for (int v = 0; v < V; v++) {
            g[v] *= keep;
            sum[v] = fmaf(g[v], branch[v], sum[v]);
            g[v] *= scale[v];
        }
        store_pack((T *)args.dbranch.data + i, g);
    }
    store_sums((float *)args.workspace, sum, none, t, at, extent.channels);
}

extern "C" void launch_residual_bwd(const struct queue *queue, const struct token_args *args) {
    struct extent extent = {(uint32_t)(args->n * args->tokens), (uint32_t)args->c};
    with_type(args->dy.bf16, extent.channels, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        struct tiling t = tiling_of(extent, V);
        LAUNCH_BLOCK((residual_bwd<T, V>), dim3(t.tiles, t.chunks), COLUMN_THREADS, queue, *args,
                     extent, t);
        if (args->dscale)
            launch_finish(queue, (const float *)args->workspace, t.chunks, 2 * extent.channels,
                          column_sums{args->dscale, nullptr, extent.channels});
    });
}
