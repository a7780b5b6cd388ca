#include "engine/graph/ops_rules.h"

void global_pool_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    out[0].shape.h = out[0].shape.w = 1;
}

void global_pool_grad(struct gradient *gradient, int index) {
    struct program *program = gradient_program(gradient);
    struct op op = program->op[index];
    int dy = gradient_take(gradient, op.out[0]);
    if (dy == NO_VALUE || !gradient_wanted(gradient, op.in[0]))
        return;
    struct op bwd = op_new(OP_GLOBAL_POOL_BWD, SECTION_BACKWARD);
    bwd.in[0] = dy;
    bwd.out[0] = gradient_like(gradient, op.in[0]);
    program_add_op(program, &bwd, 0);
    gradient_give(gradient, op.in[0], bwd.out[0]);
}

void pool_infer(const struct program *program, const struct op *op, struct value *out) {
    const struct pool_attr *attr = &op->attr.pool;
    CHECK(attr->pad < attr->kernel); /* no window lies in the padding alone */
    like_input(program, op, out);
    out[0].shape.h = extent(out[0].shape.h, attr->kernel, attr->stride, attr->pad);
    out[0].shape.w = extent(out[0].shape.w, attr->kernel, attr->stride, attr->pad);
}

void pool_grad(struct gradient *gradient, int index) {
    struct program *program = gradient_program(gradient);
    struct op op = program->op[index];
    int dy = gradient_take(gradient, op.out[0]);
    if (dy == NO_VALUE || !gradient_wanted(gradient, op.in[0]))
        return;
    struct op bwd = op_new(OP_POOL_BWD, SECTION_BACKWARD);
    bwd.in[0] = dy;
    bwd.in[1] = op.attr.pool.average ? NO_VALUE : op.in[0];
    bwd.out[0] = gradient_like(gradient, op.in[0]);
    bwd.attr = op.attr;
    program_add_op(program, &bwd, 0);
    gradient_give(gradient, op.in[0], bwd.out[0]);
}
