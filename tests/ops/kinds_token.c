/*
 * kinds_token.c - the ops of transformers. Tokens are [n,1,t,c].
 */
#include "tests/ops/kinds.h"

static struct shape token_shape(struct problem *problem) {
    return (struct shape){problem_int(problem, "n", 1), 1, problem_int(problem, "t", 1),
                          problem_int(problem, "c", 1)};
}

static int vector_weight(struct problem *problem, int c) {
    return problem_parameter(problem, VALUE_WEIGHT, vector_shape(c), unit);
}

/* An incoming gradient for output y. */
static int cotangent(struct problem *problem, int y) {
    return problem_activation(problem, problem->program.value[y].shape, unit);
}

static void setup_embed(struct problem *problem) {
    struct shape x = picture_shape(problem);
    int rows = x.h * x.w + problem_int(problem, "all", 0);
    struct op op = op_new(OP_EMBED, SECTION_FORWARD);
    op.in[0] = problem_activation(problem, x, unit);
    op.in[1] = vector_weight(problem, x.c);
    op.in[2] = problem_parameter(problem, VALUE_WEIGHT, (struct shape){1, 1, rows, x.c}, unit);
    op = problem_op(problem, &op, 0);
    struct op bwd = op_new(OP_EMBED_BWD, SECTION_BACKWARD);
    bwd.in[0] = cotangent(problem, op.out[0]);
    bwd.out[0] = empty_like(problem, op.in[0]);
    bwd.out[1] = gradient_place(problem, op.in[1]);
    bwd.out[2] = gradient_place(problem, op.in[2]);
    problem_op(problem, &bwd, 0);
    for (int i = 0; i < 3; i++)
        problem_pair(problem, op.in[i], bwd.out[i]);
    problem_sum(problem, op.out[0], bwd.in[0], NO_VALUE);
}

static void setup_first_token(struct problem *problem) {
    struct op op = op_new(OP_FIRST_TOKEN, SECTION_FORWARD);
    op.in[0] = problem_activation(problem, token_shape(problem), unit);
    op = problem_op(problem, &op, 0);
    struct op bwd = op_new(OP_FIRST_TOKEN_BWD, SECTION_BACKWARD);
    bwd.in[0] = cotangent(problem, op.out[0]);
    bwd.out[0] = empty_like(problem, op.in[0]);
    problem_op(problem, &bwd, 0);
    problem_pair(problem, op.in[0], bwd.out[0]);
    problem_sum(problem, op.out[0], bwd.in[0], NO_VALUE);
}

/* The last one of a network leaves bf16. With a second gradient of x, that of the sum's other term:
 * x itself times dx2. */
static void setup_layer_norm(struct problem *problem) {
    struct shape shape = token_shape(problem);
    double center = problem_number(problem, "center", 0.5);
    struct op op = op_new(OP_LAYER_NORM, SECTION_FORWARD);
    op.attr.norm.eps = (float)problem_number(problem, "eps", 1e-6);
    op.in[0] = problem_activation(problem, shape, (struct range){center - 2, center + 2});
    op.in[1] = vector_weight(problem, shape.c);
    op.in[2] = vector_weight(problem, shape.c);
    op = problem_op(problem, &op, 0);
    bool two = problem_int(problem, "two", 0) != 0, last = problem_int(problem, "last", 0) != 0;
    if (last)
        problem->program.value[op.out[0]].dtype = DTYPE_F32;
    struct op bwd = op_new(OP_LAYER_NORM_BWD, SECTION_BACKWARD);
    bwd.in[0] =
        last ? problem_input(problem, DTYPE_F32, shape, unit) : cotangent(problem, op.out[0]);
    bwd.in[1] = op.in[0];
    bwd.in[2] = op.in[1];
    bwd.in[3] = op.out[1];
    bwd.in[4] = op.out[2];
    bwd.in[5] = two ? cotangent(problem, op.in[0]) : NO_VALUE;
    bwd.out[1] = gradient_place(problem, op.in[1]);
    bwd.out[2] = gradient_place(problem, op.in[2]);
    bwd.attr = op.attr;
    bwd = problem_op(problem, &bwd, 0);
    if (two)
        return; /* against ref only: the sum would have to run over x too */
    for (int i = 0; i < 3; i++)
        problem_pair(problem, op.in[i], bwd.out[i]);
    problem_sum(problem, op.out[0], bwd.in[0], NO_VALUE);
}

static void token_linear_gradient(struct problem *problem, const struct op *op) {
    struct op dx = op_new(OP_TOKEN_LINEAR_DX, SECTION_BACKWARD);
    struct op dw = op_new(OP_TOKEN_LINEAR_DW, SECTION_BACKWARD);
    dx.in[0] = dw.in[0] = cotangent(problem, op->out[0]);
    dx.in[1] = op->in[1];
    dx.out[0] = empty_like(problem, op->in[0]);
    problem_op(problem, &dx, 0);
    dw.in[1] = op->in[0];
    dw.out[0] = gradient_place(problem, op->in[1]);
    dw.out[1] = gradient_place(problem, op->in[2]);
    problem_op(problem, &dw, 0);
    problem_pair(problem, op->in[0], dx.out[0]);
    problem_pair(problem, op->in[1], dw.out[0]);
    problem_pair(problem, op->in[2], dw.out[1]);
    problem_sum(problem, op->out[0], dx.in[0], NO_VALUE);
}

/* Replaces weight and bias by those with the scale behind the layer, an op of the prologue. */
static void fold_scale(struct problem *problem, struct op *linear) {
    struct shape weight = problem->program.value[linear->in[1]].shape;
    struct op op = op_new(OP_FOLD_SCALE, SECTION_PROLOGUE);
    op.in[0] = linear->in[1];
    op.in[1] = linear->in[2];
    op.in[2] = vector_weight(problem, weight.n);
    op.out[0] = problem_empty(problem, VALUE_DERIVED, DTYPE_F32, weight);
    op.out[1] = problem_empty(problem, VALUE_DERIVED, DTYPE_F32, vector_shape(weight.n));
    problem_op(problem, &op, 0);
    linear->in[1] = op.out[0];
    linear->in[2] = op.out[1];
}

static void setup_token_linear(struct problem *problem) {
    struct shape x = token_shape(problem), y = x;
    y.c = problem_int(problem, "k", 1);
    struct shape weight = {y.c, 1, 1, x.c};
    struct op op = op_new(OP_TOKEN_LINEAR, SECTION_FORWARD);
    op.attr.gelu = problem_int(problem, "gelu", 0) != 0;
    op.in[0] = problem_activation(problem, x, unit);
    op.in[1] = problem_parameter(problem, VALUE_WEIGHT, weight, unit);
    op.in[2] = vector_weight(problem, y.c);
    op.in[3] = optional_activation(problem, "residual", y);
    bool folds = problem_int(problem, "fold", 0) != 0;
    if (folds)
        fold_scale(problem, &op);
    op = problem_op(problem, &op, 0);
    if (!folds && !op.attr.gelu)
        token_linear_gradient(problem, &op);
}

static void setup_gelu(struct problem *problem) {
    double reach = problem_number(problem, "reach", 4);
    struct range range = {-reach, reach};
    struct op op = op_new(OP_GELU, SECTION_FORWARD);
    op.in[0] = problem_activation(problem, token_shape(problem), range);
    op = problem_op(problem, &op, 0);
    struct op bwd = op_new(OP_GELU_BWD, SECTION_BACKWARD);
    bwd.in[0] = cotangent(problem, op.out[0]);
    bwd.in[1] = op.in[0];
    bwd = problem_op(problem, &bwd, 0);
    problem_pair(problem, op.in[0], bwd.out[0]);
    problem_sum(problem, op.out[0], bwd.in[0], NO_VALUE);
}

static void setup_attention(struct problem *problem) {
    struct shape qkv = token_shape(problem);
    double reach = problem_number(problem, "reach", 2);
    qkv.c *= 3;
    struct op op = op_new(OP_ATTENTION, SECTION_FORWARD);
    op.attr.attention = (struct attention_attr){.heads = problem_int(problem, "heads", 1),
                                                .queries = problem_int(problem, "queries", 0)};
    op.in[0] = problem_activation(problem, qkv, (struct range){-reach, reach});
    op = problem_op(problem, &op, 0);
    struct op bwd = op_new(OP_ATTENTION_BWD, SECTION_BACKWARD);
    bwd.in[0] = cotangent(problem, op.out[0]);
    bwd.in[1] = op.in[0];
    bwd.in[2] = op.out[0];
    bwd.in[3] = op.out[1];
    bwd.out[0] = empty_like(problem, op.in[0]);
    bwd.attr = op.attr;
    problem_op(problem, &bwd, 0);
    problem_pair(problem, op.in[0], bwd.out[0]);
    problem_sum(problem, op.out[0], bwd.in[0], NO_VALUE);
}

static void setup_residual(struct problem *problem) {
    struct shape shape = token_shape(problem);
    bool scales = problem_int(problem, "scale", 0) != 0;
    struct op op = op_new(OP_RESIDUAL, SECTION_FORWARD);
    op.attr.residual = (struct residual_attr){.drop = (float)problem_number(problem, "drop", 0),
                                              .layer = problem_int(problem, "layer", 0)};
    op.in[0] = problem_activation(problem, shape, unit);
    op.in[1] = problem_activation(problem, shape, unit);
    if (scales)
        op.in[2] = vector_weight(problem, shape.c);
    op = problem_op(problem, &op, 0);
    struct op bwd = op_new(OP_RESIDUAL_BWD, SECTION_BACKWARD);
    bwd.in[0] = cotangent(problem, op.out[0]);
    bwd.in[1] = op.in[1];
    bwd.in[2] = op.in[2];
    if (scales)
        bwd.out[1] = gradient_place(problem, op.in[2]);
    bwd.attr = op.attr;
    bwd = problem_op(problem, &bwd, scales ? 0 : 1u << 1);
    problem_pair(problem, op.in[1], bwd.out[0]);
    if (scales)
        problem_pair(problem, op.in[2], bwd.out[1]);
    problem_sum(problem, op.out[0], bwd.in[0], NO_VALUE);
}

const struct problem_kind token_kinds[] = {
    {"embed", setup_embed, true},
    {"first_token", setup_first_token, true},
    {"layer_norm", setup_layer_norm, true},
    {"token_linear", setup_token_linear, true},
    {"gelu", setup_gelu, true},
    {"attention", setup_attention, true},
    {"residual", setup_residual, true},
    {0},
};
