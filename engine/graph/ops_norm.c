#include "engine/graph/ops_rules.h"

void bn_act_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape x = in_shape(program, op, 0);
    CHECK(shape_equal(in_shape(program, op, 1), vector_shape(x.c)));
    CHECK(shape_equal(in_shape(program, op, 2), vector_shape(x.c)));
    if (op->in[3] != NO_VALUE)
        CHECK(shape_equal(in_shape(program, op, 3), x));
    like_input(program, op, out);
    out[1].shape = out[2].shape = vector_shape(x.c);
}

void bn_act_grad(struct gradient *gradient, const struct op *op) {
    struct op bwd = op_new(OP_BN_ACT_BWD, SECTION_BACKWARD);
    gradient_take_pair(gradient, op->out[0], bwd.in);
    if (bwd.in[0] == NO_VALUE)
        return;
    bool residual = op->in[3] != NO_VALUE;
    bool wanted = gradient_wanted(gradient, op->in[3]);
    bwd.in[2] = op->in[0];
    bwd.in[3] = residual && op->attr.norm.act != ACT_NONE ? op->out[0] : NO_VALUE;
    bwd.in[4] = op->in[1];
    bwd.in[5] = op->in[2];
    bwd.in[6] = op->out[1];
    bwd.in[7] = op->out[2];
    bwd.out[1] = gradient_of_weight(gradient, op->in[1]);
    bwd.out[2] = gradient_of_weight(gradient, op->in[2]);
    bwd.attr = op->attr;
    bwd = program_emit(gradient_program(gradient), &bwd, wanted ? 0 : 1u << 3);
    gradient_give(gradient, op->in[0], bwd.out[0]);
    gradient_give(gradient, op->in[3], bwd.out[3]);
}

void bn_act_bwd_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    CHECK(shape_equal(in_shape(program, op, 2), out[0].shape));
    CHECK(op->in[3] == NO_VALUE || op->attr.norm.act != ACT_RELU6);
    out[3] = out[0];
}

void fold_bn_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    out[1].shape = vector_shape(out[0].shape.n);
}

void bn_scale_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    out[1] = out[0];
}
