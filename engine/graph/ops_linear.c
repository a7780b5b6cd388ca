#include "engine/graph/ops_rules.h"

void linear_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape x = in_shape(program, op, 0), w = in_shape(program, op, 1);
    CHECK(x.h == 1 && x.w == 1 && x.c == w.c);
    CHECK(shape_equal(in_shape(program, op, 2), vector_shape(w.n)));
    out[0].shape = (struct shape){x.n, 1, 1, w.n};
    out[0].dtype = DTYPE_F32;
}

void linear_grad(struct gradient *gradient, int index) {
    struct program *program = gradient_program(gradient);
    struct op op = program->op[index];
    int dy = gradient_take(gradient, op.out[0]);
    if (dy == NO_VALUE)
        return;
    struct op dw = op_new(OP_LINEAR_DW, SECTION_BACKWARD);
    dw.in[0] = dy;
    dw.in[1] = op.in[0];
    dw.out[0] = gradient_of_weight(gradient, op.in[1]);
    dw.out[1] = gradient_of_weight(gradient, op.in[2]);
    program_add_op(program, &dw, 0);
    if (!gradient_wanted(gradient, op.in[0]))
        return;
    struct op dx = op_new(OP_LINEAR_DX, SECTION_BACKWARD);
    dx.in[0] = dy;
    dx.in[1] = op.in[1];
    int dx_value = program_emit(program, &dx, 0).out[0];
    program->value[dx_value].dtype = program->value[op.in[0]].dtype;
    gradient_give(gradient, op.in[0], dx_value);
}

void linear_dx_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape dy = in_shape(program, op, 0), w = in_shape(program, op, 1);
    CHECK(dy.c == w.n);
    out[0].shape = (struct shape){dy.n, 1, 1, w.c};
}

double linear_flops(const struct program *program, const struct op *op) {
    struct shape x = in_shape(program, op, 0), w = in_shape(program, op, 1);
    return 2.0 * x.n * w.n * w.c;
}

double linear_dw_flops(const struct program *program, const struct op *op) {
    struct shape dy = in_shape(program, op, 0), x = in_shape(program, op, 1);
    return 2.0 * dy.n * dy.c * x.c;
}
