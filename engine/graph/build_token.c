#include "engine/graph/build_token.h"

#include "engine/graph/ops.h"

static const float LAYER_NORM_EPS = 1e-6f;

int build_embed(struct builder *builder, int x, bool class_has_position) {
    struct shape shape = builder->program->value[x].shape;
    int rows = shape.h * shape.w + class_has_position;
    struct param token = {
        .shape = {1, 1, 1, shape.c}, .rank = 3, .init = INIT_NORMAL_TINY, .norm = true};
    struct param position = {
        .shape = {1, 1, rows, shape.c}, .rank = 3, .init = INIT_NORMAL_TOKEN, .norm = true};
    struct op op = build_op(OP_EMBED, x);
    op.in[1] = build_param(builder, "", "cls_token", &token);
    op.in[2] = build_param(builder, "", "pos_embed", &position);
    return build_finish(builder, &op, "tokens");
}

int build_first_token(struct builder *builder, int x) {
    struct op op = build_op(OP_FIRST_TOKEN, x);
    return program_emit(builder->program, &op, 0).out[0];
}

int build_layer_norm(struct builder *builder, const char *name, int x, enum dtype dtype) {
    struct shape vector = {1, 1, 1, build_channels(builder, x)};
    struct param gamma = {.shape = vector, .rank = 1, .init = INIT_ONE, .norm = true};
    struct param beta = {.shape = vector, .rank = 1, .init = INIT_ZERO, .norm = true};
    struct op op = build_op(OP_LAYER_NORM, x);
    op.in[1] = build_param(builder, name, "weight", &gamma);
    op.in[2] = build_param(builder, name, "bias", &beta);
    op.attr.norm.eps = LAYER_NORM_EPS;
    int y = build_finish(builder, &op, name);
    builder->program->value[y].dtype = dtype;
    return y;
}

/* The op without residual and activation, not yet appended. */
static struct op begin_linear(struct builder *builder, const char *name, int x, int outputs) {
    struct param weight = {
        .shape = {outputs, 1, 1, build_channels(builder, x)}, .rank = 2, .init = INIT_NORMAL_TOKEN};
    struct param bias = {.shape = {1, 1, 1, outputs}, .rank = 1, .init = INIT_ZERO, .norm = true};
    struct op op = build_op(OP_TOKEN_LINEAR, x);
    op.in[1] = build_param(builder, name, "weight", &weight);
    op.in[2] = build_param(builder, name, "bias", &bias);
    return op;
}

int build_token_linear(struct builder *builder, const char *name, int x, int outputs) {
    struct op op = begin_linear(builder, name, x, outputs);
    return build_finish(builder, &op, name);
}

/* The gradient needs what goes into GELU: only inference has both in one op. */
int build_token_linear_gelu(struct builder *builder, const char *name, int x, int outputs) {
    struct op op = begin_linear(builder, name, x, outputs);
    op.attr.gelu = builder->mode == BUILD_INFER;
    int y = build_finish(builder, &op, name);
    if (builder->mode == BUILD_INFER)
        return y;
    struct op gelu = build_op(OP_GELU, y);
    return program_emit(builder->program, &gelu, 0).out[0];
}

int build_attention(struct builder *builder, int qkv, int heads, int queries) {
    struct op op = build_op(OP_ATTENTION, qkv);
    op.attr.attention = (struct attention_attr){heads, queries};
    op = program_emit(builder->program, &op, 0);
    builder->program->value[op.out[1]].dtype = DTYPE_F32;
    return op.out[0];
}

static void fold_scale(struct builder *builder, struct op *linear, int scale) {
    static const char *const suffix[] = {"scaled_weight", "scaled_bias"};
    struct op op = op_new(OP_FOLD_SCALE, SECTION_PROLOGUE);
    op.in[0] = linear->in[1];
    op.in[1] = linear->in[2];
    op.in[2] = scale;
    op = build_derived(builder, &op, suffix);
    linear->in[1] = op.out[0];
    linear->in[2] = op.out[1];
}

/* Where nothing stands between layer and sum, the layer adds. */
int build_branch(struct builder *builder, int x, int branch, const struct branch_end *end) {
    struct shape vector = {1, 1, 1, build_channels(builder, x)};
    struct param gamma = {.shape = vector, .rank = 1, .init = INIT_TINY, .norm = true};
    struct op linear = begin_linear(builder, end->name, branch, vector.c);
    bool infers = builder->mode == BUILD_INFER;
    int scale = end->scale ? build_param(builder, end->scale, "gamma", &gamma) : NO_VALUE;
    if (infers && end->scale)
        fold_scale(builder, &linear, scale);
    if (infers || (!end->scale && end->drop == 0)) {
        linear.in[3] = x;
        return build_finish(builder, &linear, end->name);
    }
    struct op op = build_op(OP_RESIDUAL, x);
    op.in[1] = build_finish(builder, &linear, end->name);
    op.in[2] = scale;
    op.attr.residual = (struct residual_attr){end->drop, end->layer};
    return program_emit(builder->program, &op, 0).out[0];
}
