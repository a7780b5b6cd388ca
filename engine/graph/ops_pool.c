#include "engine/graph/ops_rules.h"

void global_pool_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    out[0].shape.h = out[0].shape.w = 1;
}

void global_pool_grad(struct gradient *gradient, const struct op *op) {
    struct op bwd = gradient_begin(gradient, op, OP_GLOBAL_POOL_BWD);
    gradient_finish(gradient, &bwd, op->in[0]);
}

void pool_infer(const struct program *program, const struct op *op, struct value *out) {
    const struct pool_attr *attr = &op->attr.pool;
    CHECK(attr->pad < attr->kernel); /* no window lies in the padding alone */
    like_input(program, op, out);
    out[0].shape.h = extent(out[0].shape.h, attr->kernel, attr->stride, attr->pad);
    out[0].shape.w = extent(out[0].shape.w, attr->kernel, attr->stride, attr->pad);
}

void pool_grad(struct gradient *gradient, const struct op *op) {
    struct op bwd = gradient_begin(gradient, op, OP_POOL_BWD);
    bwd.in[1] = op->attr.pool.average ? NO_VALUE : op->in[0];
    gradient_finish(gradient, &bwd, op->in[0]);
}
