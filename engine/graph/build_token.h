/*
 * build_token.h - layers of transformers; values are [n,1,tokens,channels].
 *
 * See build.h, whose rules hold here too.
 */
#ifndef ENGINE_GRAPH_BUILD_TOKEN_H
#define ENGINE_GRAPH_BUILD_TOKEN_H

#include "engine/graph/build.h"

/* Tokens of x [n,h,w,c] with "cls_token" in front of them and "pos_embed" added: to all of them,
 * or to the patches alone. */
int build_embed(struct builder *builder, int x, bool class_has_position);

int build_first_token(struct builder *builder, int x); /* [n,1,1,c] */

/* Layer norm (eps 1e-6); y is of this type. */
int build_layer_norm(struct builder *builder, const char *name, int x, enum dtype dtype);

/* Fully connected layer with bias, N(0, 0.02), for each token. */
int build_token_linear(struct builder *builder, const char *name, int x, int outputs);

/* The same with GELU behind it. */
int build_token_linear_gelu(struct builder *builder, const char *name, int x, int outputs);

/* Multi-head attention. qkv holds queries, keys and values side by side, as one linear layer makes
 * them. Only the first `queries` tokens are used as queries; 0 means all. */
int build_attention(struct builder *builder, int qkv, int heads, int queries);

/* The end of a residual branch. */
struct branch_end {
    const char *name;  /* of its last linear layer */
    const char *scale; /* layer of the parameter "gamma" that scales it, or NULL */
    int layer;         /* number of the branch in the network */
    float drop;        /* share of the pictures that leave it out in training */
};

/* x + scale linear(branch); linear has the channels of x. */
int build_branch(struct builder *builder, int x, int branch, const struct branch_end *end);

#endif
