#include "engine/graph/ops_rules.h"

int extent(int in, int kernel, int stride, int pad) {
    CHECK(in + 2 * pad >= kernel);
    return (in + 2 * pad - kernel) / stride + 1;
}

void conv_infer(const struct program *program, const struct op *op, struct value *out) {
    const struct conv_attr *attr = &op->attr.conv;
    struct shape x = in_shape(program, op, 0), w = in_shape(program, op, 1);
    CHECK(w.c * attr->groups == x.c && w.n % attr->groups == 0);
    out[0].shape = (struct shape){x.n, extent(x.h, w.h, attr->stride, attr->pad),
                                  extent(x.w, w.w, attr->stride, attr->pad), w.n};
    out[0].dtype = in_dtype(program, op, 0);
    if (op->in[3] != NO_VALUE)
        CHECK(shape_equal(in_shape(program, op, 3), out[0].shape));
}

void conv_grad(struct gradient *gradient, const struct op *op) {
    CHECK(op->in[3] == NO_VALUE && op->attr.conv.act == ACT_NONE);
    gradient_of_product(gradient, op, OP_CONV_DX, OP_CONV_DW);
}

/* y and w, or dy and w, or dy and x with dw: the multiply-adds are those of the forward conv. */
double conv_flops(const struct program *program, const struct op *op) {
    struct shape y = program->value[op->out[0]].shape, w = in_shape(program, op, 1);
    return 2 * product(y) * w.h * w.w * w.c;
}

double conv_dx_flops(const struct program *program, const struct op *op) {
    struct shape dy = in_shape(program, op, 0), w = in_shape(program, op, 1);
    return 2 * product(dy) * w.h * w.w * w.c;
}

double conv_dw_flops(const struct program *program, const struct op *op) {
    struct shape dy = in_shape(program, op, 0), dw = program->value[op->out[0]].shape;
    return 2 * product(dy) * dw.h * dw.w * dw.c;
}
