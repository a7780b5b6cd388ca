/*
 * launch_token.h - the kernels of transformers, as launch.h has the others.
 */
#ifndef ENGINE_BACKEND_CUDA_LAUNCH_TOKEN_H
#define ENGINE_BACKEND_CUDA_LAUNCH_TOKEN_H

#include "engine/backend/cuda/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tokens [n][tokens][c]; what a kernel does not use is absent. */
struct token_args {
    struct array x, y, dy, dx, dx2, branch, dbranch;
    const float *class_token, *position, *gamma, *beta, *scale, *mean, *rstd;
    float *mean_out, *rstd_out, *dclass, *dposition, *dgamma, *dbeta, *dscale;
    const void *step;
    int n, tokens, c, layer;
    float eps, drop;
    bool all; /* the class token has a position too */
    void *workspace;
};
void launch_embed(const struct queue *queue, const struct token_args *args);
void launch_embed_bwd(const struct queue *queue, const struct token_args *args);
void launch_first_token(const struct queue *queue, const struct token_args *args);
void launch_first_token_bwd(const struct queue *queue, const struct token_args *args);
void launch_layer_norm(const struct queue *queue, const struct token_args *args);
void launch_layer_norm_bwd(const struct queue *queue, const struct token_args *args);
void launch_gelu(const struct queue *queue, const struct token_args *args);
void launch_gelu_bwd(const struct queue *queue, const struct token_args *args);
void launch_residual(const struct queue *queue, const struct token_args *args);
void launch_residual_bwd(const struct queue *queue, const struct token_args *args);

/* qkv [n][tokens][3][heads][width], y [n][queries][heads][width], lse [n][queries][heads]. */
enum { LAUNCH_HEAD_WIDTH_MAX = 64 };
struct attention_args {
    struct array qkv, y, dy, dqkv;
    float *lse;
    float *center; /* workspace: as many as lse */
    int n, tokens, queries, heads, width;
};
void launch_attention(const struct queue *queue, const struct attention_args *args);
void launch_attention_bwd(const struct queue *queue, const struct attention_args *args);

#ifdef __cplusplus
}
#endif
#endif
