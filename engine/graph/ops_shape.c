#include "engine/graph/ops_rules.h"

void gather_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape images = in_shape(program, op, 0), rows = {op->attr.gather.batch, 1, 1, 1};
    CHECK(in_shape(program, op, 1).n == images.n && in_shape(program, op, 2).n == images.n);
    like_input(program, op, out);
    out[0].shape.n = rows.n;
    out[1] = (struct value){.name = "labels", .shape = rows, .dtype = DTYPE_I32};
    out[2] = (struct value){.name = "indices", .shape = rows, .dtype = DTYPE_I32};
    str_copy(out[0].name, sizeof out[0].name, "images");
}

/* concat and split are each other's gradient. */
void concat_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape a = in_shape(program, op, 0), b = in_shape(program, op, 1);
    CHECK(a.n == b.n && a.h == b.h && a.w == b.w);
    CHECK(in_dtype(program, op, 0) == in_dtype(program, op, 1));
    like_input(program, op, out);
    out[0].shape.c += b.c;
}

void concat_grad(struct gradient *gradient, int index) {
    struct program *program = gradient_program(gradient);
    struct op op = program->op[index];
    int dy = gradient_take(gradient, op.out[0]);
    if (dy == NO_VALUE)
        return;
    struct op split = op_new(OP_SPLIT, SECTION_BACKWARD);
    split.in[0] = dy;
    split.attr.channel.first = in_shape(program, &op, 0).c;
    split = program_emit(program, &split, 0);
    for (int i = 0; i < 2; i++)
        if (gradient_wanted(gradient, op.in[i]))
            gradient_give(gradient, op.in[i], split.out[i]);
}

void split_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    out[1] = out[0];
    out[0].shape.c = op->attr.channel.first;
    out[1].shape.c -= op->attr.channel.first;
    CHECK(out[0].shape.c > 0 && out[1].shape.c > 0);
}

void split_grad(struct gradient *gradient, int index) {
    struct program *program = gradient_program(gradient);
    struct op op = program->op[index];
    struct op concat = op_new(OP_CONCAT, SECTION_BACKWARD);
    for (int i = 0; i < 2; i++)
        concat.in[i] = gradient_take(gradient, op.out[i]);
    if (!gradient_wanted(gradient, op.in[0]))
        return;
    CHECK(concat.in[0] != NO_VALUE && concat.in[1] != NO_VALUE); /* both parts are used */
    gradient_give(gradient, op.in[0], program_emit(program, &concat, 0).out[0]);
}

void channel_shuffle_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    CHECK(op->attr.channel.groups > 0 && out[0].shape.c % op->attr.channel.groups == 0);
}

void channel_shuffle_grad(struct gradient *gradient, int index) {
    struct program *program = gradient_program(gradient);
    struct op op = program->op[index];
    int dy = gradient_take(gradient, op.out[0]);
    if (dy == NO_VALUE || !gradient_wanted(gradient, op.in[0]))
        return;
    struct op back = op_new(OP_CHANNEL_SHUFFLE, SECTION_BACKWARD);
    back.in[0] = dy;
    back.attr.channel.groups = in_shape(program, &op, 0).c / op.attr.channel.groups;
    gradient_give(gradient, op.in[0], program_emit(program, &back, 0).out[0]);
}

void add_infer(const struct program *program, const struct op *op, struct value *out) {
    CHECK(shape_equal(in_shape(program, op, 0), in_shape(program, op, 1)));
    like_input(program, op, out);
}

void add_grad(struct gradient *gradient, int index) {
    struct op op = gradient_program(gradient)->op[index];
    int dy = gradient_take(gradient, op.out[0]);
    for (int i = 0; i < 2 && dy != NO_VALUE; i++)
        if (gradient_wanted(gradient, op.in[i]))
            gradient_give(gradient, op.in[i], dy);
}
