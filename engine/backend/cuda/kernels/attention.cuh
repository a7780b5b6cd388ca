/*
 * attention.cuh - what both ways of attention share: where a head lies, and how a block finds it.
 * Blocks of a grid are tiles of rows x heads of all pictures.
 */
#ifndef ENGINE_BACKEND_CUDA_KERNELS_ATTENTION_CUH
#define ENGINE_BACKEND_CUDA_KERNELS_ATTENTION_CUH

#include "engine/backend/cuda/kernels/device.cuh"
#include "engine/backend/cuda/launch_token.h"

#include <math.h>

enum { WIDTH = LAUNCH_HEAD_WIDTH_MAX };

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

static inline dim3 attention_grid(const struct attention_args *args, int rows, int tile) {
    return dim3((unsigned)(rows + tile - 1) / tile, (unsigned)(args->n * args->heads));
}

/* In bf16, on a card with tensor cores (queue->tensor_cores). */
void attention_matrix(const struct queue *queue, const struct attention_args *args);
void attention_matrix_bwd(const struct queue *queue, const struct attention_args *args);

#endif
