#include "engine/graph/ops_rules.h"

void loss_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape z = in_shape(program, op, 0), label = in_shape(program, op, 2);
    CHECK(label.n >= z.n && in_dtype(program, op, 2) == DTYPE_I32);
    if (op->in[1] != NO_VALUE) {
        struct shape t = in_shape(program, op, 1);
        CHECK(t.n >= z.n && t.c == z.c);
    }
    out[0].shape = (struct shape){z.n, 1, 1, ROW_FIELDS};
    out[1].shape = z;
    out[1].dtype = in_dtype(program, op, 0);
}

void loss_grad(struct gradient *gradient, const struct op *op) {
    gradient_give(gradient, op->in[0], op->out[1]);
}

double loss_flops(const struct program *program, const struct op *op) {
    return 30 * product(in_shape(program, op, 0));
}

void clip_norm_infer(const struct program *program, const struct op *op, struct value *out) {
    (void)program;
    (void)op;
    out[0].shape = vector_shape(1);
}
