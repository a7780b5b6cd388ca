#include "engine/graph/ops_rules.h"

/* --- the ends: from patches to tokens, and the one token that is classified --- */

void embed_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape x = in_shape(program, op, 0), position = in_shape(program, op, 2);
    int patches = x.h * x.w;
    CHECK(shape_equal(in_shape(program, op, 1), vector_shape(x.c)) && position.c == x.c);
    CHECK(position.w == patches || position.w == patches + 1);
    like_input(program, op, out);
    out[0].shape = (struct shape){x.n, 1, patches + 1, x.c};
}

void embed_grad(struct gradient *gradient, const struct op *op) {
    struct op bwd = gradient_begin(gradient, op, OP_EMBED_BWD);
    if (bwd.in[0] == NO_VALUE)
        return;
    bwd.out[0] = gradient_like(gradient, op->in[0]);
    bwd.out[1] = gradient_of_weight(gradient, op->in[1]);
    bwd.out[2] = gradient_of_weight(gradient, op->in[2]);
    program_add_op(gradient_program(gradient), &bwd, 0);
    gradient_give(gradient, op->in[0], bwd.out[0]);
}

void first_token_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    out[0].shape.h = out[0].shape.w = 1;
}

void first_token_grad(struct gradient *gradient, const struct op *op) {
    struct op bwd = gradient_begin(gradient, op, OP_FIRST_TOKEN_BWD);
    gradient_finish(gradient, &bwd, op->in[0]);
}

/* --- layer norm --- */

void layer_norm_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape x = in_shape(program, op, 0);
    CHECK(shape_equal(in_shape(program, op, 1), vector_shape(x.c)));
    CHECK(shape_equal(in_shape(program, op, 2), vector_shape(x.c)));
    like_input(program, op, out);
    out[1].shape = out[2].shape = (struct shape){x.n, x.h, x.w, 1};
}

/* What else flows into x, the residual path, is added on the way. */
void layer_norm_grad(struct gradient *gradient, const struct op *op) {
    struct op bwd = gradient_begin(gradient, op, OP_LAYER_NORM_BWD);
    if (bwd.in[0] == NO_VALUE)
        return;
    bwd.in[1] = op->in[0];
    bwd.in[2] = op->in[1];
    bwd.in[3] = op->out[1];
    bwd.in[4] = op->out[2];
    bwd.in[5] = gradient_withdraw(gradient, op->in[0]);
    bwd.out[1] = gradient_of_weight(gradient, op->in[1]);
    bwd.out[2] = gradient_of_weight(gradient, op->in[2]);
    bwd = program_emit(gradient_program(gradient), &bwd, 0);
    gradient_give(gradient, op->in[0], bwd.out[0]);
}

void layer_norm_bwd_infer(const struct program *program, const struct op *op, struct value *out) {
    out[0].shape = in_shape(program, op, 1);
    out[0].dtype = in_dtype(program, op, 1);
    CHECK(shape_equal(in_shape(program, op, 0), out[0].shape));
    if (op->in[5] != NO_VALUE)
        CHECK(shape_equal(in_shape(program, op, 5), out[0].shape));
}

/* --- linear --- */

void token_linear_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape w = in_shape(program, op, 1);
    CHECK(in_shape(program, op, 0).c == w.c && w.h == 1 && w.w == 1);
    CHECK(shape_equal(in_shape(program, op, 2), vector_shape(w.n)));
    like_input(program, op, out);
    out[0].shape.c = w.n;
    if (op->in[3] != NO_VALUE)
        CHECK(shape_equal(in_shape(program, op, 3), out[0].shape));
}

void token_linear_grad(struct gradient *gradient, const struct op *op) {
    CHECK(!op->attr.gelu);
    gradient_give(gradient, op->in[3], gradient_take(gradient, op->out[0]));
    gradient_of_product(gradient, op, OP_TOKEN_LINEAR_DX, OP_TOKEN_LINEAR_DW);
}

double token_linear_flops(const struct program *program, const struct op *op) {
    return 2 * product(in_shape(program, op, 0)) * in_shape(program, op, 1).n;
}

/* Both gradients: their second inputs, weight and x, have as many channels. */
double token_linear_bwd_flops(const struct program *program, const struct op *op) {
    return 2 * product(in_shape(program, op, 0)) * in_shape(program, op, 1).c;
}

void fold_scale_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape w = in_shape(program, op, 0);
    CHECK(shape_equal(in_shape(program, op, 2), vector_shape(w.n)));
    out[0].shape = w;
    out[1].shape = vector_shape(w.n);
}

/* --- between linear layers --- */

void gelu_grad(struct gradient *gradient, const struct op *op) {
    struct op bwd = gradient_begin(gradient, op, OP_GELU_BWD);
    bwd.in[1] = op->in[0];
    gradient_finish(gradient, &bwd, op->in[0]);
}

void attention_infer(const struct program *program, const struct op *op, struct value *out) {
    const struct attention_attr *attr = &op->attr.attention;
    struct shape qkv = in_shape(program, op, 0);
    CHECK(qkv.h == 1 && attr->heads > 0 && qkv.c % (3 * attr->heads) == 0);
    CHECK(attr->queries >= 0 && attr->queries <= qkv.w);
    int queries = attr->queries ? attr->queries : qkv.w;
    like_input(program, op, out);
    out[0].shape = (struct shape){qkv.n, 1, queries, qkv.c / 3};
    out[1].shape = (struct shape){qkv.n, 1, queries, attr->heads};
}

void attention_grad(struct gradient *gradient, const struct op *op) {
    struct op bwd = gradient_begin(gradient, op, OP_ATTENTION_BWD);
    bwd.in[1] = op->in[0];
    bwd.in[2] = op->out[0];
    bwd.in[3] = op->out[1];
    gradient_finish(gradient, &bwd, op->in[0]);
}

/* Two products of queries, tokens and channels; five in the gradient, which makes the first anew.
 */
double attention_flops(const struct program *program, const struct op *op) {
    return 4 * product(program->value[op->out[0]].shape) * in_shape(program, op, 0).w;
}

double attention_bwd_flops(const struct program *program, const struct op *op) {
    return 10 * product(in_shape(program, op, 0)) * in_shape(program, op, 1).w;
}

void residual_infer(const struct program *program, const struct op *op, struct value *out) {
    CHECK(shape_equal(in_shape(program, op, 0), in_shape(program, op, 1)));
    CHECK(op->attr.residual.drop >= 0 && op->attr.residual.drop < 1);
    like_input(program, op, out);
}

void residual_grad(struct gradient *gradient, const struct op *op) {
    struct op bwd = gradient_begin(gradient, op, OP_RESIDUAL_BWD);
    if (bwd.in[0] == NO_VALUE)
        return;
    gradient_give(gradient, op->in[0], bwd.in[0]);
    if (!gradient_wanted(gradient, op->in[1]))
        return;
    bwd.in[1] = op->in[1];
    bwd.in[2] = op->in[2];
    bwd.out[1] = gradient_of_weight(gradient, op->in[2]);
    bwd = program_emit(gradient_program(gradient), &bwd, bwd.out[1] == NO_VALUE ? 1u << 1 : 0);
    gradient_give(gradient, op->in[1], bwd.out[0]);
}
