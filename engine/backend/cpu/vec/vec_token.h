/*
 * vec_token.h - what the loops of vec.h for transformers are told. Tokens lie row by row.
 */
#ifndef ENGINE_BACKEND_CPU_VEC_VEC_TOKEN_H
#define ENGINE_BACKEND_CPU_VEC_VEC_TOKEN_H

#include "engine/graph/program.h"

/* Layer norm of rows of so many channels, and its gradient. Vectors are f32. */
struct vec_layer_norm {
    const void *x, *dy, *dx2; /* dx2 may be NULL */
    void *y, *dx;
    const float *gamma, *beta;
    float *mean, *rstd; /* [rows] */
    int channels;
    float eps;
    bool x_bf16, y_bf16; /* types of x, dx, dx2 and of y, dy */
};

/* The sum of residual path and branch: y = x + keep scale branch, or the gradient of that. */
struct vec_residual {
    const void *x, *branch, *dy;
    void *y, *dbranch;
    const float *scale; /* [channels] or NULL */
    const float *keep;  /* [pictures] */
    int tokens, channels;
};

/* Tokens from patches, which are PLAIN, and their gradients. */
struct vec_embed {
    float *x;                      /* [n][tokens - 1][channels]; read, or written as gradient */
    void *y;                       /* [n][tokens][channels]; written, or read as gradient */
    const float *class, *position; /* position: of token 1, its rows for all */
    const float *class_position;   /* or NULL */
    int pictures, tokens, channels;
};

/* Attention of heads that lie in rows of 3 heads width: all q, all k, all v. */
struct vec_attention {
    const void *qkv; /* [n][tokens][3][heads][width] */
    void *y;         /* [n][queries][heads][width] */
    float *lse;      /* [n][queries][heads] */
    const void *dy;
    void *dqkv;
    int tokens, queries, heads, width;
};

enum { VEC_QUERIES = 64 }; /* of a head that are attended to at once, at most */

/* How many at once make even parts; a multiple of 8, as product has tiles of so many rows. */
static inline int vec_queries_at_once(int queries) {
    int parts = (queries + VEC_QUERIES - 1) / VEC_QUERIES;
    return ((queries + parts - 1) / parts + 7) & ~7;
}

/* At most VEC_QUERIES queries of a head. */
struct vec_queries {
    int head; /* counted over all pictures */
    int begin, end;
    bool fresh; /* the head is not that of the call before with this scratch */
};

#endif
