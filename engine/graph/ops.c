#include "engine/graph/grad.h"

/* What the rules below abbreviate. */
static struct shape in_shape(const struct program *program, const struct op *op, int i) {
    return program->value[op->in[i]].shape;
}

static enum dtype in_dtype(const struct program *program, const struct op *op, int i) {
    return program->value[op->in[i]].dtype;
}

static struct shape vector_shape(int c) {
    return (struct shape){1, 1, 1, c};
}

static double product(struct shape shape) {
    return (double)shape_elements(shape);
}

/* --- normalize, augment, reorder: no gradient, pictures have none --- */

static void like_input(const struct program *program, const struct op *op, struct value *out) {
    out[0].shape = in_shape(program, op, 0);
    out[0].dtype = in_dtype(program, op, 0);
}

/* --- conv --- */

/* Windows along an axis. */
static int extent(int in, int kernel, int stride, int pad) {
    CHECK(in + 2 * pad >= kernel);
    return (in + 2 * pad - kernel) / stride + 1;
}

static void conv_infer(const struct program *program, const struct op *op, struct value *out) {
    const struct conv_attr *attr = &op->attr.conv;
    struct shape x = in_shape(program, op, 0), w = in_shape(program, op, 1);
    CHECK(w.c * attr->groups == x.c && w.n % attr->groups == 0);
    out[0].shape = (struct shape){x.n, extent(x.h, w.h, attr->stride, attr->pad),
                                  extent(x.w, w.w, attr->stride, attr->pad), w.n};
    out[0].dtype = in_dtype(program, op, 0);
    if (op->in[3] != NO_VALUE)
        CHECK(shape_equal(in_shape(program, op, 3), out[0].shape));
}

static void conv_grad(struct gradient *gradient, int index) {
    struct program *program = gradient_program(gradient);
    struct op op = program->op[index];
    int dy = gradient_take(gradient, op.out[0]);
    if (dy == NO_VALUE)
        return;
    CHECK(op.in[3] == NO_VALUE && !op.attr.conv.relu);
    bool bias = op.in[2] != NO_VALUE;
    struct op dw = op_new(OP_CONV_DW, SECTION_BACKWARD);
    dw.in[0] = dy;
    dw.in[1] = op.in[0];
    dw.out[0] = gradient_of_weight(gradient, op.in[1]);
    dw.out[1] = bias ? gradient_of_weight(gradient, op.in[2]) : NO_VALUE;
    dw.attr = op.attr;
    program_add_op(program, &dw, bias ? 0 : 1u << 1);
    if (!gradient_wanted(gradient, op.in[0]))
        return;
    struct op dx = op_new(OP_CONV_DX, SECTION_BACKWARD);
    dx.in[0] = dy;
    dx.in[1] = op.in[1];
    dx.out[0] = gradient_like(gradient, op.in[0]); /* a stride may leave rows out: not from dy */
    dx.attr = op.attr;
    program_add_op(program, &dx, 0);
    gradient_give(gradient, op.in[0], dx.out[0]);
}

/* y and w, or dy and w, or dy and x with dw: the multiply-adds are those of the forward conv. */
static double conv_flops(const struct program *program, const struct op *op) {
    struct shape y = program->value[op->out[0]].shape, w = in_shape(program, op, 1);
    return 2 * product(y) * w.h * w.w * w.c;
}

static double conv_dx_flops(const struct program *program, const struct op *op) {
    struct shape dy = in_shape(program, op, 0), w = in_shape(program, op, 1);
    return 2 * product(dy) * w.h * w.w * w.c;
}

static double conv_dw_flops(const struct program *program, const struct op *op) {
    struct shape dy = in_shape(program, op, 0), dw = program->value[op->out[0]].shape;
    return 2 * product(dy) * dw.h * dw.w * dw.c;
}

/* --- batch norm --- */

static void bn_act_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape x = in_shape(program, op, 0);
    CHECK(shape_equal(in_shape(program, op, 1), vector_shape(x.c)));
    CHECK(shape_equal(in_shape(program, op, 2), vector_shape(x.c)));
    if (op->in[3] != NO_VALUE)
        CHECK(shape_equal(in_shape(program, op, 3), x));
    like_input(program, op, out);
    out[1].shape = out[2].shape = vector_shape(x.c);
}

static void bn_act_grad(struct gradient *gradient, int index) {
    struct program *program = gradient_program(gradient);
    struct op op = program->op[index];
    int pair[2];
    gradient_take_pair(gradient, op.out[0], pair);
    if (pair[0] == NO_VALUE)
        return;
    bool residual = op.in[3] != NO_VALUE;
    bool wanted = residual && gradient_wanted(gradient, op.in[3]);
    struct op bwd = op_new(OP_BN_ACT_BWD, SECTION_BACKWARD);
    bwd.in[0] = pair[0];
    bwd.in[1] = pair[1];
    bwd.in[2] = op.in[0];
    bwd.in[3] = residual && op.attr.norm.relu ? op.out[0] : NO_VALUE;
    bwd.in[4] = op.in[1];
    bwd.in[5] = op.in[2];
    bwd.in[6] = op.out[1];
    bwd.in[7] = op.out[2];
    bwd.out[1] = gradient_of_weight(gradient, op.in[1]);
    bwd.out[2] = gradient_of_weight(gradient, op.in[2]);
    bwd.attr = op.attr;
    bwd = program_emit(program, &bwd, wanted ? 0 : 1u << 3);
    gradient_give(gradient, op.in[0], bwd.out[0]);
    if (wanted)
        gradient_give(gradient, op.in[3], bwd.out[3]);
}

static void bn_act_bwd_infer(const struct program *program, const struct op *op,
                             struct value *out) {
    like_input(program, op, out);
    CHECK(shape_equal(in_shape(program, op, 2), out[0].shape));
    out[3] = out[0];
}

static void fold_bn_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    out[1].shape = vector_shape(out[0].shape.n);
}

static void bn_scale_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    out[1] = out[0];
}

static double per_element_flops(const struct program *program, const struct op *op) {
    return 10 * product(in_shape(program, op, 0));
}

/* --- linear --- */

static void linear_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape x = in_shape(program, op, 0), w = in_shape(program, op, 1);
    CHECK(x.h == 1 && x.w == 1 && x.c == w.c);
    CHECK(shape_equal(in_shape(program, op, 2), vector_shape(w.n)));
    out[0].shape = (struct shape){x.n, 1, 1, w.n};
    out[0].dtype = DTYPE_F32;
}

static void linear_grad(struct gradient *gradient, int index) {
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

static void linear_dx_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape dy = in_shape(program, op, 0), w = in_shape(program, op, 1);
    CHECK(dy.c == w.n);
    out[0].shape = (struct shape){dy.n, 1, 1, w.c};
}

static double linear_flops(const struct program *program, const struct op *op) {
    struct shape x = in_shape(program, op, 0), w = in_shape(program, op, 1);
    return 2.0 * x.n * w.n * w.c;
}

static double linear_dw_flops(const struct program *program, const struct op *op) {
    struct shape dy = in_shape(program, op, 0), x = in_shape(program, op, 1);
    return 2.0 * dy.n * dy.c * x.c;
}

/* --- pooling and adding --- */

static void global_pool_infer(const struct program *program, const struct op *op,
                              struct value *out) {
    like_input(program, op, out);
    out[0].shape.h = out[0].shape.w = 1;
}

static void global_pool_grad(struct gradient *gradient, int index) {
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

static void pool_infer(const struct program *program, const struct op *op, struct value *out) {
    const struct pool_attr *attr = &op->attr.pool;
    CHECK(attr->pad < attr->kernel); /* no window lies in the padding alone */
    like_input(program, op, out);
    out[0].shape.h = extent(out[0].shape.h, attr->kernel, attr->stride, attr->pad);
    out[0].shape.w = extent(out[0].shape.w, attr->kernel, attr->stride, attr->pad);
}

static void pool_grad(struct gradient *gradient, int index) {
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

/* --- channels: concat and split are each other's gradient --- */

static void concat_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape a = in_shape(program, op, 0), b = in_shape(program, op, 1);
    CHECK(a.n == b.n && a.h == b.h && a.w == b.w);
    CHECK(in_dtype(program, op, 0) == in_dtype(program, op, 1));
    like_input(program, op, out);
    out[0].shape.c += b.c;
}

static void concat_grad(struct gradient *gradient, int index) {
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

static void split_infer(const struct program *program, const struct op *op, struct value *out) {
    like_input(program, op, out);
    out[1] = out[0];
    out[0].shape.c = op->attr.channel.first;
    out[1].shape.c -= op->attr.channel.first;
    CHECK(out[0].shape.c > 0 && out[1].shape.c > 0);
}

static void split_grad(struct gradient *gradient, int index) {
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

static void channel_shuffle_infer(const struct program *program, const struct op *op,
                                  struct value *out) {
    like_input(program, op, out);
    CHECK(op->attr.channel.groups > 0 && out[0].shape.c % op->attr.channel.groups == 0);
}

static void channel_shuffle_grad(struct gradient *gradient, int index) {
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

static void add_infer(const struct program *program, const struct op *op, struct value *out) {
    CHECK(shape_equal(in_shape(program, op, 0), in_shape(program, op, 1)));
    like_input(program, op, out);
}

static void add_grad(struct gradient *gradient, int index) {
    struct op op = gradient_program(gradient)->op[index];
    int dy = gradient_take(gradient, op.out[0]);
    for (int i = 0; i < 2 && dy != NO_VALUE; i++)
        if (gradient_wanted(gradient, op.in[i]))
            gradient_give(gradient, op.in[i], dy);
}

/* --- loss --- */

static void loss_infer(const struct program *program, const struct op *op, struct value *out) {
    struct shape z = in_shape(program, op, 0), label = in_shape(program, op, 2);
    CHECK(label.n >= z.n && in_dtype(program, op, 2) == DTYPE_I32);
    if (op->in[1] != NO_VALUE) {
        struct shape t = in_shape(program, op, 1);
        CHECK(t.n >= z.n && t.c == z.c);
    }
    out[0].shape = (struct shape){z.n, 1, 1, ROW_FIELDS};
    out[1].shape = z;
}

static void loss_grad(struct gradient *gradient, int index) {
    const struct op *op = &gradient_program(gradient)->op[index];
    if (op->out[1] != NO_VALUE)
        gradient_give(gradient, op->in[0], op->out[1]);
}

static double loss_flops(const struct program *program, const struct op *op) {
    return 30 * product(in_shape(program, op, 0));
}

/* inplace: 1 + the input that the output may take over at that input's last use. */
const struct op_info op_table[OP_COUNT] = {
#define OP(code, op_name, op_inputs, op_outputs)                                                   \
    [OP_##code] = {.name = op_name, .inputs = op_inputs, .outputs = op_outputs, ROW_##code},
#define ROW_NORMALIZE .infer = NULL
#define ROW_AUGMENT .infer = like_input
#define ROW_CONV .infer = conv_infer, .grad = conv_grad, .flops = conv_flops, .inplace = {4}
#define ROW_CONV_DX .flops = conv_dx_flops
#define ROW_CONV_DW .flops = conv_dw_flops
#define ROW_BN_ACT .infer = bn_act_infer, .grad = bn_act_grad, .flops = per_element_flops
#define ROW_BN_ACT_BWD                                                                             \
    .infer = bn_act_bwd_infer, .flops = per_element_flops, .inplace = {1, 0, 0, 2}
#define ROW_BN_UPDATE .infer = NULL
#define ROW_FOLD_BN .infer = fold_bn_infer
#define ROW_BN_SCALE .infer = bn_scale_infer
#define ROW_SCALE_ACT .infer = like_input, .flops = per_element_flops, .inplace = {1}
#define ROW_LINEAR .infer = linear_infer, .grad = linear_grad, .flops = linear_flops
#define ROW_LINEAR_DX .infer = linear_dx_infer, .flops = linear_flops
#define ROW_LINEAR_DW .flops = linear_dw_flops
#define ROW_GLOBAL_POOL .infer = global_pool_infer, .grad = global_pool_grad
#define ROW_GLOBAL_POOL_BWD .infer = NULL
#define ROW_POOL .infer = pool_infer, .grad = pool_grad
#define ROW_POOL_BWD .infer = NULL
#define ROW_CONCAT .infer = concat_infer, .grad = concat_grad
#define ROW_SPLIT .infer = split_infer, .grad = split_grad
#define ROW_CHANNEL_SHUFFLE .infer = channel_shuffle_infer, .grad = channel_shuffle_grad
#define ROW_ADD .infer = add_infer, .grad = add_grad, .inplace = {1}
#define ROW_DISTILL_LOSS .infer = loss_infer, .grad = loss_grad, .flops = loss_flops
#define ROW_TALLY .infer = NULL
#define ROW_SGD .infer = NULL
#define ROW_REORDER .infer = like_input
#include "engine/graph/ops.def"
#undef OP
};

/* Names are separated by single spaces. */
static int count_words(const char *names) {
    int n = names[0] != 0;
    for (; *names; names++)
        n += *names == ' ';
    return n;
}

int op_input_count(enum opcode code) {
    return count_words(op_table[code].inputs);
}

int op_output_count(enum opcode code) {
    return count_words(op_table[code].outputs);
}

double op_flops(const struct program *program, const struct op *op) {
    op_flops_fn *flops = op_table[op->code].flops;
    return flops ? flops(program, op) : 0;
}

double op_bytes(const struct program *program, const struct op *op) {
    double bytes = 0;
    for (int i = 0; i < OP_MAX_IN; i++)
        if (op->in[i] != NO_VALUE)
            bytes += (double)value_bytes(&program->value[op->in[i]]);
    for (int i = 0; i < OP_MAX_OUT; i++)
        if (op->out[i] != NO_VALUE)
            bytes += (double)value_bytes(&program->value[op->out[i]]);
    return bytes;
}
