#include "engine/graph/ops_rules.h"

void linear_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape x = in_shape(program, op, 0), w = in_shape(program, op, 1);
    CHECK(x.h == 1 && x.w == 1 && x.c == w.c);
    CHECK(shape_equal(in_shape(program, op, 2), vector_shape(w.n)));
    out[0].shape = (struct shape){x.n, 1, 1, w.n};
    out[0].dtype = DTYPE_F32;
}

void linear_grad(struct gradient *gradient, const struct op *op) {
    gradient_of_product(gradient, op, OP_LINEAR_DX, OP_LINEAR_DW);
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
