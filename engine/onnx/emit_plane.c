/* Emitters of ops on planes: convolutions, pools, channels, the classifier. */
#include "engine/onnx/emit_internal.h"

/* {first, last, first, last} of an attribute that is the same in both directions. */
#define PAIR(label, n)                                                                             \
    {                                                                                              \
        .name = label, .count = 2, .ints = { n, n }                                                \
    }
#define SIDES(label, n)                                                                            \
    {                                                                                              \
        .name = label, .count = 4, .ints = { n, n, n, n }                                          \
    }
#define INTEGER(label, n)                                                                          \
    {                                                                                              \
        .name = label, .ints = { n }                                                               \
    }

/* Appends x + residual (NO_VALUE: nothing) and the activation, and gives the sum y's name. */
static void finish(struct emitter *emitter, struct onnx_node *node, int residual,
                   enum activation act, const char *y) {
    bool sums = residual != NO_VALUE;
    const char *x = sums || act ? emit_temporary(emitter) : y;
    node->out[0] = x;
    onnx_add_node(&emitter->file, node);
    if (sums) {
        const char *sum = act ? emit_temporary(emitter) : y;
        emit_simple(emitter, "Add", x, emit_name(emitter, residual), sum);
        x = sum;
    }
    if (act)
        emit_act(emitter, act, x, y);
}

void emit_conv(struct emitter *emitter, const struct op *op) {
    const struct conv_attr *attr = &op->attr.conv;
    int kernel = emitter->program->value[op->in[1]].shape.h;
    struct onnx_node node = {
        .type = "Conv",
        .in = {emit_name(emitter, op->in[0]), emit_constant(emitter, op->in[1], CONSTANT_KERNEL)},
        .attribute = {PAIR("kernel_shape", kernel), PAIR("strides", attr->stride),
                      SIDES("pads", attr->pad), INTEGER("group", attr->groups)}};
    if (op->in[2] != NO_VALUE)
        node.in[2] = emit_constant(emitter, op->in[2], CONSTANT_VECTOR);
    finish(emitter, &node, op->in[3], attr->act, emit_name(emitter, op->out[0]));
}

void emit_scale_act(struct emitter *emitter, const struct op *op) {
    const char *x = emit_name(emitter, op->in[0]);
    x = emit_step(emitter, "Mul", x, emit_constant(emitter, op->in[1], CONSTANT_PLANE));
    struct onnx_node node = {.type = "Add",
                             .in = {x, emit_constant(emitter, op->in[2], CONSTANT_PLANE)}};
    finish(emitter, &node, NO_VALUE, op->attr.norm.act, emit_name(emitter, op->out[0]));
}

void emit_linear(struct emitter *emitter, const struct op *op) {
    const char *flat = emit_step(emitter, "Flatten", emit_name(emitter, op->in[0]), NULL);
    struct onnx_node node = {.type = "Gemm",
                             .in = {flat, emit_constant(emitter, op->in[1], CONSTANT_MATRIX),
                                    emit_constant(emitter, op->in[2], CONSTANT_VECTOR)},
                             .out = {emit_name(emitter, op->out[0])},
                             .attribute = {INTEGER("transB", 1)}};
    onnx_add_node(&emitter->file, &node);
}

void emit_global_pool(struct emitter *emitter, const struct op *op) {
    emit_simple(emitter, "GlobalAveragePool", emit_name(emitter, op->in[0]), NULL,
                emit_name(emitter, op->out[0]));
}

void emit_pool(struct emitter *emitter, const struct op *op) {
    const struct pool_attr *attr = &op->attr.pool;
    struct onnx_node node = {.type = attr->average ? "AveragePool" : "MaxPool",
                             .in = {emit_name(emitter, op->in[0])},
                             .out = {emit_name(emitter, op->out[0])},
                             .attribute = {PAIR("kernel_shape", attr->kernel),
                                           PAIR("strides", attr->stride),
                                           SIDES("pads", attr->pad)}};
    if (attr->average)
        node.attribute[3] = (struct onnx_attribute)INTEGER("count_include_pad", 1);
    onnx_add_node(&emitter->file, &node);
}

void emit_concat(struct emitter *emitter, const struct op *op) {
    struct onnx_node node = {.type = "Concat",
                             .in = {emit_name(emitter, op->in[0]), emit_name(emitter, op->in[1])},
                             .out = {emit_name(emitter, op->out[0])},
                             .attribute = {INTEGER("axis", 1)}};
    onnx_add_node(&emitter->file, &node);
}

void emit_split(struct emitter *emitter, const struct op *op) {
    int64_t first = op->attr.channel.first;
    int64_t part[] = {first, emitter->program->value[op->in[0]].shape.c - first};
    struct onnx_node node = {
        .type = "Split",
        .in = {emit_name(emitter, op->in[0]), emit_integers(emitter, part, 2)},
        .out = {emit_name(emitter, op->out[0]), emit_name(emitter, op->out[1])},
        .attribute = {INTEGER("axis", 1)}};
    onnx_add_node(&emitter->file, &node);
}

void emit_channel_shuffle(struct emitter *emitter, const struct op *op) {
    static const int64_t axes[] = {0, 2, 1, 3, 4};
    struct shape s = emitter->program->value[op->in[0]].shape;
    int groups = op->attr.channel.groups;
    int64_t apart[] = {0, groups, s.c / groups, s.h, s.w}, together[] = {0, s.c, s.h, s.w};
    const char *x = emit_reshape(emitter, emit_name(emitter, op->in[0]), apart, 5);
    x = emit_transpose(emitter, x, axes, 5);
    emit_simple(emitter, "Reshape", x, emit_integers(emitter, together, 4),
                emit_name(emitter, op->out[0]));
}

void emit_add(struct emitter *emitter, const struct op *op) {
    emit_simple(emitter, "Add", emit_name(emitter, op->in[0]), emit_name(emitter, op->in[1]),
                emit_name(emitter, op->out[0]));
}
