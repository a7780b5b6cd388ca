/*
 * ops_rules.h - the rules that the rows of op_table name; for ops.c and ops_*.c only.
 *
 * One file a family of ops. infer: shapes of the outputs; grad: the ops of the gradient; flops.
 *
 * Threads: pure functions of the program that they extend.
 */
#ifndef ENGINE_GRAPH_OPS_RULES_H
#define ENGINE_GRAPH_OPS_RULES_H

#include "engine/graph/grad.h"

/* What the rules abbreviate. */
static inline struct shape in_shape(const struct program *program, const struct op *op, int i) {
    return program->value[op->in[i]].shape;
}

static inline enum dtype in_dtype(const struct program *program, const struct op *op, int i) {
    return program->value[op->in[i]].dtype;
}

static inline struct shape vector_shape(int c) {
    return (struct shape){1, 1, 1, c};
}

static inline double product(struct shape shape) {
    return (double)shape_elements(shape);
}

int extent(int in, int kernel, int stride, int pad); /* Windows along an axis. */

op_infer_fn like_input;        /* One output like the first input. */
op_flops_fn per_element_flops; /* Ten an element of the first input. */

op_infer_fn conv_infer;
op_grad_fn conv_grad;
op_flops_fn conv_flops, conv_dx_flops, conv_dw_flops;

op_infer_fn bn_act_infer, bn_act_bwd_infer, fold_bn_infer, bn_scale_infer;
op_grad_fn bn_act_grad;

op_infer_fn linear_infer, linear_dx_infer;
op_grad_fn linear_grad;
op_flops_fn linear_flops, linear_dw_flops;

op_infer_fn global_pool_infer, pool_infer;
op_grad_fn global_pool_grad, pool_grad;

op_infer_fn gather_infer;

op_infer_fn concat_infer, split_infer, channel_shuffle_infer, add_infer;
op_grad_fn concat_grad, split_grad, channel_shuffle_grad, add_grad;

op_infer_fn embed_infer, first_token_infer, layer_norm_infer, layer_norm_bwd_infer;
op_infer_fn token_linear_infer, attention_infer, residual_infer, fold_scale_infer;
op_grad_fn embed_grad, first_token_grad, layer_norm_grad, token_linear_grad, gelu_grad;
op_grad_fn attention_grad, residual_grad;
op_flops_fn token_linear_flops, token_linear_bwd_flops;
op_flops_fn attention_flops, attention_bwd_flops;

op_infer_fn loss_infer;
op_grad_fn loss_grad;
op_flops_fn loss_flops;

op_infer_fn clip_norm_infer;

#endif
