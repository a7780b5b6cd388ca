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

void concat_grad(struct gradient *gradient, const struct op *op) {
    struct program *program = gradient_program(gradient);
    struct op split = gradient_begin(gradient, op, OP_SPLIT);
    if (split.in[0] == NO_VALUE)
        return;
    split.attr.channel.first = in_shape(program, op, 0).c;
    split = program_emit(program, &split, 0);
    for (int i = 0; i < 2; i++)
        gradient_give(gradient, op->in[i], split.out[i]);
}

void split_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    out[1] = out[0];
    out[0].shape.c = op->attr.channel.first;
    out[1].shape.c -= op->attr.channel.first;
    CHECK(out[0].shape.c > 0 && out[1].shape.c > 0);
}

void split_grad(struct gradient *gradient, const struct op *op) {
    struct op concat = gradient_begin(gradient, op, OP_CONCAT);
    concat.in[1] = gradient_take(gradient, op->out[1]);
    CHECK((concat.in[0] == NO_VALUE) == (concat.in[1] == NO_VALUE)); /* both parts are used */
    gradient_finish(gradient, &concat, op->in[0]);
}

void channel_shuffle_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    CHECK(op->attr.channel.groups > 0 && out[0].shape.c % op->attr.channel.groups == 0);
}

void channel_shuffle_grad(struct gradient *gradient, const struct op *op) {
    struct op back = gradient_begin(gradient, op, OP_CHANNEL_SHUFFLE);
    int channels = in_shape(gradient_program(gradient), op, 0).c;
    back.attr.channel.groups = channels / op->attr.channel.groups;
    gradient_finish(gradient, &back, op->in[0]);
}

void add_infer(const struct program *program, const struct op *op, struct value *out) {
    CHECK(shape_equal(in_shape(program, op, 0), in_shape(program, op, 1)));
    like_input(program, op, out);
}

void add_grad(struct gradient *gradient, const struct op *op) {
    int dy = gradient_take(gradient, op->out[0]);
    for (int i = 0; i < 2; i++)
        gradient_give(gradient, op->in[i], dy);
}
