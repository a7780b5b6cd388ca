/* Emitters of the vision transformers' ops. */
#include "engine/onnx/emit_internal.h"

#include <math.h>

/* The class token once for each picture of x. */
static const char *expand_class(struct emitter *emitter, const char *x, int class) {
    int64_t one[] = {1, emitter->program->value[class].shape.c};
    const char *batch = emit_temporary(emitter), *shape = emit_temporary(emitter);
    struct onnx_node count = {.type = "Shape",
                              .in = {x},
                              .out = {batch},
                              .attribute = {{.name = "start"}, {.name = "end", .ints = {1}}}};
    struct onnx_node join = {.type = "Concat",
                             .in = {batch, emit_integers(emitter, one, 2)},
                             .out = {shape},
                             .attribute = {{.name = "axis"}}};
    onnx_add_node(&emitter->file, &count);
    onnx_add_node(&emitter->file, &join);
    return emit_step(emitter, "Expand", emit_constant(emitter, class, CONSTANT_TOKENS), shape);
}

void emit_embed(struct emitter *emitter, const struct op *op) {
    static const int64_t axes[] = {0, 2, 1};
    struct shape x = emitter->program->value[op->in[0]].shape;
    bool all = emitter->program->value[op->in[2]].shape.w == x.h * x.w + 1;
    int64_t rows[] = {0, x.c, x.h * x.w};
    const char *y = emit_name(emitter, op->out[0]), *input = emit_name(emitter, op->in[0]);
    const char *position = emit_constant(emitter, op->in[2], CONSTANT_TOKENS);
    const char *patches = emit_reshape(emitter, input, rows, 3);
    patches = emit_transpose(emitter, patches, axes, 3);
    if (!all)
        patches = emit_step(emitter, "Add", patches, position);
    struct onnx_node join = {.type = "Concat",
                             .in = {expand_class(emitter, input, op->in[1]), patches},
                             .out = {all ? emit_temporary(emitter) : y},
                             .attribute = {{.name = "axis", .ints = {1}}}};
    onnx_add_node(&emitter->file, &join);
    if (all)
        emit_simple(emitter, "Add", join.out[0], position, y);
}

/* The first so many tokens of x. */
static void take_tokens(struct emitter *emitter, const char *x, int count, const char *out) {
    const int64_t zero = 0, one = 1, end = count;
    struct onnx_node node = {.type = "Slice",
                             .in = {x, emit_integers(emitter, &zero, 1),
                                    emit_integers(emitter, &end, 1),
                                    emit_integers(emitter, &one, 1)},
                             .out = {out}};
    onnx_add_node(&emitter->file, &node);
}

void emit_first_token(struct emitter *emitter, const struct op *op) {
    take_tokens(emitter, emit_name(emitter, op->in[0]), 1, emit_name(emitter, op->out[0]));
}

void emit_layer_norm(struct emitter *emitter, const struct op *op) {
    struct onnx_node node = {
        .type = "LayerNormalization",
        .in = {emit_name(emitter, op->in[0]), emit_constant(emitter, op->in[1], CONSTANT_VECTOR),
               emit_constant(emitter, op->in[2], CONSTANT_VECTOR)},
        .out = {emit_name(emitter, op->out[0])},
        .attribute = {{.name = "axis", .ints = {-1}},
                      {.name = "epsilon", .is_real = true, .real = op->attr.norm.eps}}};
    onnx_add_node(&emitter->file, &node);
}

/* x Phi(x) = x / 2 (1 + erf(x / sqrt 2)), into out or an output of its own. */
static const char *add_gelu(struct emitter *emitter, const char *x, const char *out) {
    const char *y = emit_step(emitter, "Div", x, emit_scalar(emitter, (float)sqrt(2)));
    y = emit_step(emitter, "Erf", y, NULL);
    y = emit_step(emitter, "Add", y, emit_scalar(emitter, 1));
    y = emit_step(emitter, "Mul", y, x);
    if (!out)
        out = emit_temporary(emitter);
    emit_simple(emitter, "Mul", y, emit_scalar(emitter, 0.5f), out);
    return out;
}

void emit_gelu(struct emitter *emitter, const struct op *op) {
    add_gelu(emitter, emit_name(emitter, op->in[0]), emit_name(emitter, op->out[0]));
}

void emit_token_linear(struct emitter *emitter, const struct op *op) {
    bool gelu = op->attr.gelu, sums = op->in[3] != NO_VALUE;
    const char *y = emit_name(emitter, op->out[0]), *x = emit_name(emitter, op->in[0]);
    x = emit_step(emitter, "MatMul", x, emit_constant(emitter, op->in[1], CONSTANT_TURNED));
    const char *biased = gelu || sums ? emit_temporary(emitter) : y;
    emit_simple(emitter, "Add", x, emit_constant(emitter, op->in[2], CONSTANT_VECTOR), biased);
    if (gelu)
        biased = add_gelu(emitter, biased, sums ? NULL : y);
    if (sums)
        emit_simple(emitter, "Add", biased, emit_name(emitter, op->in[3]), y);
}

/* [n,t,c] to [n,heads,t,d], or with the last two axes turned. */
static const char *part_heads(struct emitter *emitter, const char *x, int heads, int width,
                              bool turned) {
    static const int64_t axes[2][4] = {{0, 2, 1, 3}, {0, 2, 3, 1}};
    int64_t dim[] = {0, 0, heads, width};
    return emit_transpose(emitter, emit_reshape(emitter, x, dim, 4), axes[turned], 4);
}

/* A token's queries, keys and values, each [n,t,c]. */
static void split_qkv(struct emitter *emitter, const char *x, int width, const char *part[3]) {
    const int64_t widths[] = {width, width, width};
    struct onnx_node node = {.type = "Split",
                             .in = {x, emit_integers(emitter, widths, 3)},
                             .attribute = {{.name = "axis", .ints = {2}}}};
    for (int i = 0; i < 3; i++)
        node.out[i] = part[i] = emit_temporary(emitter);
    onnx_add_node(&emitter->file, &node);
}

static const char *softmax(struct emitter *emitter, const char *x) {
    const char *y = emit_temporary(emitter);
    struct onnx_node node = {
        .type = "Softmax", .in = {x}, .out = {y}, .attribute = {{.name = "axis", .ints = {-1}}}};
    onnx_add_node(&emitter->file, &node);
    return y;
}

void emit_attention(struct emitter *emitter, const struct op *op) {
    static const int64_t back[] = {0, 2, 1, 3};
    struct shape y = emitter->program->value[op->out[0]].shape;
    struct shape qkv = emitter->program->value[op->in[0]].shape;
    int heads = op->attr.attention.heads, width = y.c / heads;
    int64_t together[] = {0, 0, y.c};
    const char *part[3];
    split_qkv(emitter, emit_name(emitter, op->in[0]), y.c, part);
    if (y.w < qkv.w) {
        const char *all = part[0];
        part[0] = emit_temporary(emitter);
        take_tokens(emitter, all, y.w, part[0]);
    }
    const char *q = part_heads(emitter, part[0], heads, width, false);
    const char *k = part_heads(emitter, part[1], heads, width, true);
    const char *v = part_heads(emitter, part[2], heads, width, false);
    const char *p = emit_step(emitter, "MatMul", q, k);
    p = emit_step(emitter, "Mul", p, emit_scalar(emitter, (float)(1 / sqrt(width))));
    p = softmax(emitter, p);
    p = emit_transpose(emitter, emit_step(emitter, "MatMul", p, v), back, 4);
    emit_simple(emitter, "Reshape", p, emit_integers(emitter, together, 3),
                emit_name(emitter, op->out[0]));
}

/* Nothing is dropped in inference. */
void emit_residual(struct emitter *emitter, const struct op *op) {
    const char *branch = emit_name(emitter, op->in[1]);
    CHECK(op->attr.residual.drop <= 0);
    if (op->in[2] != NO_VALUE)
        branch =
            emit_step(emitter, "Mul", branch, emit_constant(emitter, op->in[2], CONSTANT_VECTOR));
    emit_simple(emitter, "Add", emit_name(emitter, op->in[0]), branch,
                emit_name(emitter, op->out[0]));
}
