/*
 * kinds.c - how the program of a problem line is built, one function an op. A new op with its
 * gradient is one function and one row at the end.
 */
#include "tests/ops/kinds.h"

#include <string.h>

struct shape picture_shape(struct problem *problem) {
    int h = problem_int(problem, "h", 1);
    return (struct shape){problem_int(problem, "n", 1), h, problem_int(problem, "w", h),
                          problem_int(problem, "c", 1)};
}

int empty_like(struct problem *problem, int value) {
    const struct value *like = &problem->program.value[value];
    return problem_empty(problem, VALUE_ACTIVATION, like->dtype, like->shape);
}

int gradient_place(struct problem *problem, int weight) {
    const struct value like = problem->program.value[weight];
    int place = problem_empty(problem, VALUE_GRADIENT, DTYPE_F32, like.shape);
    problem->program.value[place].offset = like.offset;
    return place;
}

/* Factor of a batch norm's weights: spreads what an op with relu6 sees over both kinks. */
static double gain_of(struct problem *problem) {
    return problem_number(problem, "gain", 1);
}

/* "relu" or "relu6" */
static enum activation act_of(struct problem *problem) {
    int relu = problem_int(problem, "relu", 0);
    return relu == RELU6_TOP ? ACT_RELU6 : relu ? ACT_RELU : ACT_NONE;
}

int optional_activation(struct problem *problem, const char *key, struct shape shape) {
    return problem_int(problem, key, 0) ? problem_activation(problem, shape, unit) : NO_VALUE;
}

/* --- conv --- */

/* Replaces weight and bias of a conv by those with a folded batch norm, an op of the prologue. */
static void fold(struct problem *problem, struct op *conv) {
    const struct value from = problem->program.value[conv->in[1]];
    struct op op = op_new(OP_FOLD_BN, SECTION_PROLOGUE);
    struct shape vector = vector_shape(from.shape.n);
    op.in[0] = conv->in[1];
    op.in[1] = problem_parameter(problem, VALUE_WEIGHT, vector, (struct range){0.5, 1.5});
    op.in[2] = problem_parameter(problem, VALUE_WEIGHT, vector, unit);
    op.in[3] = problem_parameter(problem, VALUE_STATE, vector, unit);
    op.in[4] = problem_parameter(problem, VALUE_STATE, vector, (struct range){0.5, 2});
    op.in[5] = conv->in[2];
    op.out[0] = problem_empty(problem, VALUE_DERIVED, DTYPE_F32, from.shape);
    op.out[1] = problem_empty(problem, VALUE_DERIVED, DTYPE_F32, vector);
    op.attr.norm.eps = 1e-5f;
    problem_op(problem, &op, 0);
    conv->in[1] = op.out[0];
    conv->in[2] = op.out[1];
}

static void conv_dx(struct problem *problem, const struct op *conv, int dy) {
    struct op dx = op_new(OP_CONV_DX, SECTION_BACKWARD);
    dx.in[0] = dy;
    dx.in[1] = conv->in[1];
    dx.out[0] = empty_like(problem, conv->in[0]);
    dx.attr = conv->attr;
    problem_op(problem, &dx, 0);
    problem_pair(problem, conv->in[0], dx.out[0]);
}

static void conv_gradient(struct problem *problem, const struct op *conv) {
    int y = conv->out[0], x = conv->in[0], weight = conv->in[1], bias = conv->in[2];
    int dy = problem_activation(problem, problem->program.value[y].shape, unit);
    if (!problem_int(problem, "pictures", 0))
        conv_dx(problem, conv, dy);
    struct op dw = op_new(OP_CONV_DW, SECTION_BACKWARD);
    dw.in[0] = dy;
    dw.in[1] = x;
    dw.out[0] = gradient_place(problem, weight);
    if (bias != NO_VALUE)
        dw.out[1] = gradient_place(problem, bias);
    dw.attr = conv->attr;
    problem_op(problem, &dw, bias == NO_VALUE ? 1u << 1 : 0);
    problem_pair(problem, weight, dw.out[0]);
    if (bias != NO_VALUE)
        problem_pair(problem, bias, dw.out[1]);
    problem_sum(problem, y, dy, NO_VALUE);
}

static void setup_conv(struct problem *problem) {
    struct shape x = picture_shape(problem);
    int k = problem_int(problem, "k", 1), r = problem_int(problem, "r", 1);
    int groups = problem_int(problem, "groups", 1), folded = problem_int(problem, "fold", 0);
    struct shape weight = {k, r, r, x.c / groups};
    struct op op = op_new(OP_CONV, SECTION_FORWARD);
    op.attr.conv = (struct conv_attr){.stride = problem_int(problem, "s", 1),
                                      .pad = problem_int(problem, "p", 0),
                                      .groups = groups,
                                      .act = act_of(problem)};
    op.in[0] = problem_int(problem, "pictures", 0) ? problem_input(problem, DTYPE_F32, x, unit)
                                                   : problem_activation(problem, x, unit);
    op.in[1] = problem_parameter(problem, VALUE_WEIGHT, weight, unit);
    if (problem_int(problem, "bias", 0))
        op.in[2] = problem_parameter(problem, VALUE_WEIGHT, vector_shape(k), unit);
    if (folded)
        fold(problem, &op);
    struct shape y = {x.n, (x.h + 2 * op.attr.conv.pad - r) / op.attr.conv.stride + 1,
                      (x.w + 2 * op.attr.conv.pad - r) / op.attr.conv.stride + 1, k};
    op.in[3] = optional_activation(problem, "residual", y);
    op = problem_op(problem, &op, 0);
    if (!folded && op.in[3] == NO_VALUE && op.attr.conv.act == ACT_NONE)
        conv_gradient(problem, &op);
}

/* --- batch norm --- */

static void bn_act_gradient(struct problem *problem, const struct op *forward) {
    struct shape shape = problem->program.value[forward->in[0]].shape;
    bool residual = forward->in[3] != NO_VALUE;
    int y = forward->out[0];
    struct op op = op_new(OP_BN_ACT_BWD, SECTION_BACKWARD);
    op.in[0] = problem_activation(problem, shape, unit);
    op.in[1] = optional_activation(problem, "two", shape);
    op.in[2] = forward->in[0];
    op.in[3] = forward->attr.norm.act != ACT_NONE && (residual || problem_int(problem, "y", 0))
                   ? y
                   : NO_VALUE;
    op.in[4] = forward->in[1];
    op.in[5] = forward->in[2];
    op.in[6] = forward->out[1];
    op.in[7] = forward->out[2];
    op.out[1] = gradient_place(problem, op.in[4]);
    op.out[2] = gradient_place(problem, op.in[5]);
    op.attr = forward->attr;
    op = problem_op(problem, &op, residual ? 0 : 1u << 3);
    problem_pair(problem, forward->in[0], op.out[0]);
    problem_pair(problem, op.in[4], op.out[1]);
    problem_pair(problem, op.in[5], op.out[2]);
    if (residual)
        problem_pair(problem, forward->in[3], op.out[3]);
    problem_sum(problem, y, op.in[0], op.in[1]);
}

static void setup_bn_act(struct problem *problem) {
    struct shape shape = picture_shape(problem);
    double center = problem_number(problem, "center", 0.5), gain = gain_of(problem);
    struct range gamma = {0.5 * gain, 1.5 * gain};
    struct op op = op_new(OP_BN_ACT, SECTION_FORWARD);
    op.attr.norm = (struct norm_attr){.eps = 1e-5f, .act = act_of(problem)};
    op.in[0] = problem_activation(problem, shape, (struct range){center - 2, center + 2});
    op.in[1] = problem_parameter(problem, VALUE_WEIGHT, vector_shape(shape.c), gamma);
    op.in[2] = problem_parameter(problem, VALUE_WEIGHT, vector_shape(shape.c), unit);
    op.in[3] = optional_activation(problem, "residual", shape);
    op = problem_op(problem, &op, 0);
    bn_act_gradient(problem, &op);
}

static void add_bn_update(struct problem *problem, int channels) {
    struct shape vector = vector_shape(channels);
    struct range positive = {0.5, 1.5};
    struct op op = op_new(OP_BN_UPDATE, SECTION_UPDATE);
    op.attr.norm = (struct norm_attr){.momentum = 0.1f, .count = problem_int(problem, "count", 64)};
    op.in[0] = problem_input(problem, DTYPE_F32, vector, unit);
    op.in[1] = problem_input(problem, DTYPE_F32, vector, positive);
    op.out[0] = problem_parameter(problem, VALUE_STATE, vector, unit);
    op.out[1] = problem_parameter(problem, VALUE_STATE, vector, positive);
    problem_op(problem, &op, 0);
}

static void setup_bn_update(struct problem *problem) {
    int layers = problem_int(problem, "layers", 1);
    for (int i = 0; i < layers; i++)
        add_bn_update(problem, problem_int(problem, "c", 1) + i);
}

static void setup_scale_act(struct problem *problem) {
    struct shape shape = picture_shape(problem), vector = vector_shape(shape.c);
    double gain = gain_of(problem);
    struct op scale = op_new(OP_BN_SCALE, SECTION_PROLOGUE);
    scale.in[0] = problem_parameter(problem, VALUE_WEIGHT, vector, (struct range){-gain, gain});
    scale.in[1] = problem_parameter(problem, VALUE_WEIGHT, vector, unit);
    scale.in[2] = problem_parameter(problem, VALUE_STATE, vector, unit);
    scale.in[3] = problem_parameter(problem, VALUE_STATE, vector, (struct range){0.5, 2});
    scale.out[0] = problem_empty(problem, VALUE_DERIVED, DTYPE_F32, vector);
    scale.out[1] = problem_empty(problem, VALUE_DERIVED, DTYPE_F32, vector);
    scale.attr.norm.eps = 1e-5f;
    problem_op(problem, &scale, 0);
    struct op op = op_new(OP_SCALE_ACT, SECTION_FORWARD);
    op.attr.norm.act = act_of(problem);
    op.in[0] = problem_activation(problem, shape, unit);
    op.in[1] = scale.out[0];
    op.in[2] = scale.out[1];
    problem_op(problem, &op, 0);
}

/* --- linear, pool, add --- */

int linear_backward(struct problem *problem, const struct op *linear, int dy) {
    struct op dw = op_new(OP_LINEAR_DW, SECTION_BACKWARD);
    dw.in[0] = dy;
    dw.in[1] = linear->in[0];
    dw.out[0] = gradient_place(problem, linear->in[1]);
    dw.out[1] = gradient_place(problem, linear->in[2]);
    problem_op(problem, &dw, 0);
    problem_pair(problem, linear->in[1], dw.out[0]);
    problem_pair(problem, linear->in[2], dw.out[1]);
    struct op dx = op_new(OP_LINEAR_DX, SECTION_BACKWARD);
    dx.in[0] = dy;
    dx.in[1] = linear->in[1];
    dx.out[0] = empty_like(problem, linear->in[0]);
    problem_op(problem, &dx, 0);
    return dx.out[0];
}

static void linear_gradient(struct problem *problem, const struct op *linear) {
    struct shape y = problem->program.value[linear->out[0]].shape;
    int dy = problem_input(problem, DTYPE_F32, y, unit);
    problem_pair(problem, linear->in[0], linear_backward(problem, linear, dy));
    problem_sum(problem, linear->out[0], dy, NO_VALUE);
}

static void setup_linear(struct problem *problem) {
    struct shape x = picture_shape(problem);
    int k = problem_int(problem, "k", 1);
    struct op op = op_new(OP_LINEAR, SECTION_FORWARD);
    op.in[0] = problem_activation(problem, x, unit);
    op.in[1] = problem_parameter(problem, VALUE_WEIGHT, (struct shape){k, 1, 1, x.c}, unit);
    op.in[2] = problem_parameter(problem, VALUE_WEIGHT, vector_shape(k), unit);
    op = problem_op(problem, &op, 0);
    linear_gradient(problem, &op);
}

static void setup_global_pool(struct problem *problem) {
    struct shape x = picture_shape(problem), y = {x.n, 1, 1, x.c};
    struct op op = op_new(OP_GLOBAL_POOL, SECTION_FORWARD);
    op.in[0] = problem_activation(problem, x, unit);
    op = problem_op(problem, &op, 0);
    struct op bwd = op_new(OP_GLOBAL_POOL_BWD, SECTION_BACKWARD);
    bwd.in[0] = problem_activation(problem, y, unit);
    bwd.out[0] = empty_like(problem, op.in[0]);
    problem_op(problem, &bwd, 0);
    problem_pair(problem, op.in[0], bwd.out[0]);
    problem_sum(problem, op.out[0], bwd.in[0], NO_VALUE);
}

static void setup_pool(struct problem *problem) {
    struct op op = op_new(OP_POOL, SECTION_FORWARD);
    int k = problem_int(problem, "k", 2);
    op.attr.pool = (struct pool_attr){.kernel = k,
                                      .stride = problem_int(problem, "s", k),
                                      .pad = problem_int(problem, "p", 0),
                                      .average = problem_int(problem, "mean", 0) != 0};
    op.in[0] = problem_activation(problem, picture_shape(problem), unit);
    op = problem_op(problem, &op, 0);
    struct op bwd = op_new(OP_POOL_BWD, SECTION_BACKWARD);
    bwd.in[0] = problem_activation(problem, problem->program.value[op.out[0]].shape, unit);
    bwd.in[1] = op.attr.pool.average ? NO_VALUE : op.in[0];
    bwd.out[0] = empty_like(problem, op.in[0]);
    bwd.attr = op.attr;
    problem_op(problem, &bwd, 0);
    problem_pair(problem, op.in[0], bwd.out[0]);
    problem_sum(problem, op.out[0], bwd.in[0], NO_VALUE);
}

/* --- channels --- */

static void setup_concat(struct problem *problem) {
    struct shape a = picture_shape(problem), b = a;
    b.c = problem_int(problem, "d", a.c);
    struct op op = op_new(OP_CONCAT, SECTION_FORWARD);
    op.in[0] = problem_activation(problem, a, unit);
    op.in[1] = problem_activation(problem, b, unit);
    op = problem_op(problem, &op, 0);
    struct op split = op_new(OP_SPLIT, SECTION_BACKWARD);
    split.in[0] = problem_activation(problem, problem->program.value[op.out[0]].shape, unit);
    split.attr.channel.first = a.c;
    split = problem_op(problem, &split, 0);
    for (int i = 0; i < 2; i++)
        problem_pair(problem, op.in[i], split.out[i]);
    problem_sum(problem, op.out[0], split.in[0], NO_VALUE);
}

static void setup_channel_shuffle(struct problem *problem) {
    struct shape shape = picture_shape(problem);
    struct op op = op_new(OP_CHANNEL_SHUFFLE, SECTION_FORWARD);
    op.attr.channel.groups = problem_int(problem, "groups", 1);
    op.in[0] = problem_activation(problem, shape, unit);
    op = problem_op(problem, &op, 0);
    struct op back = op_new(OP_CHANNEL_SHUFFLE, SECTION_BACKWARD);
    back.attr.channel.groups = shape.c / op.attr.channel.groups;
    back.in[0] = problem_activation(problem, shape, unit);
    back = problem_op(problem, &back, 0);
    problem_pair(problem, op.in[0], back.out[0]);
    problem_sum(problem, op.out[0], back.in[0], NO_VALUE);
}

/* An op of a line of them, which goes on from value x. */
static struct op next_op(struct problem *problem, enum opcode code, int x,
                         struct channel_attr attr) {
    struct op op = op_new(code, SECTION_FORWARD);
    op.in[0] = x;
    op.attr.channel = attr;
    return problem_op(problem, &op, 0);
}

/* concat (if there is a d), shuffle, split (if there is a first): backends may do them at once. */
static void setup_mix(struct problem *problem) {
    struct shape a = picture_shape(problem), b = a;
    struct channel_attr attr = {.groups = problem_int(problem, "groups", 1)};
    int first = problem_int(problem, "first", 0), x = problem_activation(problem, a, unit);
    b.c = problem_int(problem, "d", 0);
    if (b.c) {
        struct op concat = op_new(OP_CONCAT, SECTION_FORWARD);
        concat.in[0] = x;
        concat.in[1] = problem_activation(problem, b, unit);
        x = problem_op(problem, &concat, 0).out[0];
    }
    x = next_op(problem, OP_CHANNEL_SHUFFLE, x, attr).out[0];
    attr.first = first;
    if (first)
        next_op(problem, OP_SPLIT, x, attr);
}

static void setup_add(struct problem *problem) {
    struct shape shape = picture_shape(problem);
    struct op op = op_new(OP_ADD, SECTION_FORWARD);
    op.in[0] = problem_activation(problem, shape, unit);
    op.in[1] = problem_activation(problem, shape, unit);
    problem_op(problem, &op, 0);
}

/* --- pictures --- */

/* A batch of n out of count pictures; "plain" does not ask for their places. */
static void setup_gather(struct problem *problem) {
    int count = problem_int(problem, "count", 1), first = problem_int(problem, "first", 0);
    struct shape images = picture_shape(problem), rows = {count, 1, 1, 1};
    struct op op = op_new(OP_GATHER, SECTION_FORWARD);
    op.attr.gather.batch = images.n;
    images.n = count;
    op.in[0] = problem_input(problem, DTYPE_U8, images, (struct range){0, 256});
    op.in[1] = problem_input(problem, DTYPE_I32, rows, (struct range){0, 100});
    op.in[2] = problem_input(problem, DTYPE_I32, rows, (struct range){0, count});
    for (int i = 0; i < PROBLEM_STEPS; i++)
        problem->step[i].first += first;
    problem_op(problem, &op, problem_int(problem, "plain", 0) ? 1u << 2 : 0);
}

static void setup_normalize(struct problem *problem) {
    struct shape x = picture_shape(problem), y = x;
    struct op op = op_new(OP_NORMALIZE, SECTION_FORWARD);
    y.n = problem_int(problem, "first", x.n);
    op.attr.normalize = (struct normalize_attr){{0.4f, 0.5f, 0.45f, 0}, {0.2f, 0.3f, 0.25f, 1}};
    op.in[0] = problem_input(problem, DTYPE_U8, x, (struct range){0, 256});
    op.out[0] = problem_empty(problem, VALUE_OUTPUT, DTYPE_F32, y);
    problem_op(problem, &op, 0);
}

static void setup_augment(struct problem *problem) {
    struct shape x = picture_shape(problem);
    struct op op = op_new(OP_AUGMENT, SECTION_FORWARD);
    op.attr.augment = (struct augment_attr){.padding = problem_int(problem, "p", 0),
                                            .flip = problem_int(problem, "flip", 0) != 0};
    op.in[0] = problem_input(problem, DTYPE_U8, x, (struct range){0, 256});
    op.in[1] =
        problem_input(problem, DTYPE_I32, (struct shape){x.n, 1, 1, 1}, (struct range){0, 50000});
    problem_op(problem, &op, 0);
}

static const struct problem_kind kinds[] = {
    {"gather", setup_gather, false},
    {"normalize", setup_normalize, false},
    {"augment", setup_augment, false},
    {"conv", setup_conv, true},
    {"bn_act", setup_bn_act, true},
    {"bn_update", setup_bn_update, false},
    {"scale_act", setup_scale_act, true},
    {"linear", setup_linear, true},
    {"global_pool", setup_global_pool, true},
    {"pool", setup_pool, true},
    {"concat", setup_concat, true},
    {"channel_shuffle", setup_channel_shuffle, true},
    {"mix", setup_mix, true},
    {"add", setup_add, true},
    {0},
};

const struct problem_kind *problem_kind_find(const char *name) {
    const struct problem_kind *const tables[] = {kinds, loss_kinds, token_kinds, optimizer_kinds};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct problem_kind *row = tables[i]; row->name; row++)
            if (strcmp(row->name, name) == 0)
                return row;
    return NULL;
}
