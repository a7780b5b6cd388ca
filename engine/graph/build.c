#include "engine/graph/build.h"

#include "engine/graph/ops.h"

#include <stdio.h>
#include <string.h>

static const float NORM_EPS = 1e-5f, NORM_MOMENTUM = 0.1f;

void build_enter(struct builder *builder, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int len = vsnprintf(builder->scope, sizeof builder->scope, format, args);
    va_end(args);
    CHECK(len < (int)sizeof builder->scope);
}

void build_leave(struct builder *builder) {
    builder->scope[0] = 0;
}

int build_channels(const struct builder *builder, int x) {
    return builder->program->value[x].shape.c;
}

int build_param(struct builder *builder, const char *layer, const char *suffix,
                const struct param *prototype) {
    struct param param = *prototype;
    snprintf(param.name, sizeof param.name, "%s%s%s%s", builder->scope, layer, layer[0] ? "." : "",
             suffix);
    if (builder->mode == BUILD_COLLECT)
        param_table_add(builder->table, &param);
    const struct param *found = param_table_find(builder->table, param.name);
    CHECK(found && shape_equal(found->shape, param.shape));
    struct value value = {.shape = param.shape,
                          .kind = param.state ? VALUE_STATE : VALUE_WEIGHT,
                          .net = builder->net,
                          .offset = found->offset};
    snprintf(value.name, sizeof value.name, "%.55s", param.name);
    return program_add_value(builder->program, &value);
}

int build_input(struct builder *builder, const char *name, struct shape shape, enum dtype dtype) {
    struct value value = {.shape = shape, .dtype = dtype, .kind = VALUE_INPUT};
    snprintf(value.name, sizeof value.name, "%s", name);
    return program_add_value(builder->program, &value);
}

int build_normalize(struct builder *builder, int x, int n, const float *mean,
                    const float *deviation) {
    struct value y = builder->program->value[x];
    CHECK(y.dtype == DTYPE_U8 && n <= y.shape.n && y.shape.c <= 4);
    y.shape.n = n;
    y.dtype = DTYPE_F32;
    y.kind = VALUE_ACTIVATION;
    snprintf(y.name, sizeof y.name, "normalized.%d", builder->net);
    struct op op = build_op(OP_NORMALIZE, x);
    op.out[0] = program_add_value(builder->program, &y);
    for (int c = 0; c < y.shape.c; c++) {
        op.attr.normalize.mean[c] = mean[c];
        op.attr.normalize.deviation[c] = deviation[c];
    }
    program_add_op(builder->program, &op, 0);
    return op.out[0];
}

struct op build_op(enum opcode code, int x) {
    struct op op = op_new(code, SECTION_FORWARD);
    op.in[0] = x;
    return op;
}

int build_finish(struct builder *builder, const struct op *op, const char *name) {
    int out = program_emit(builder->program, op, 0).out[0];
    struct value *value = &builder->program->value[out];
    snprintf(value->name, sizeof value->name, "%s%s", builder->scope, name);
    return out;
}

int build_conv_as(struct builder *builder, int x, const struct conv_layer *layer,
                  enum conv_style style) {
    int groups = layer->groups ? layer->groups : 1, k = layer->kernel;
    int inputs = build_channels(builder, x) / groups;
    bool fan_in = style == CONV_FAN_IN || style == CONV_FAN_IN_BIAS;
    struct param weight = {.shape = {layer->channels, k, k, inputs},
                           .rank = 4,
                           .init = fan_in ? INIT_UNIFORM_FAN_IN : INIT_NORMAL_FAN_OUT,
                           .fan = k * k * (fan_in ? inputs : layer->channels)};
    struct param bias = {.shape = {1, 1, 1, layer->channels},
                         .rank = 1,
                         .init = fan_in ? INIT_UNIFORM_FAN_IN : INIT_ZERO,
                         .fan = weight.fan,
                         .norm = true};
    struct op op = build_op(OP_CONV, x);
    op.in[1] = build_param(builder, layer->name, "weight", &weight);
    if (style == CONV_FAN_OUT_BIAS || style == CONV_FAN_IN_BIAS)
        op.in[2] = build_param(builder, layer->name, "bias", &bias);
    op.attr.conv = (struct conv_attr){layer->stride, layer->pad, groups, ACT_NONE};
    int out = build_finish(builder, &op, layer->name);
    builder->program->value[out].dtype = builder->dtype;
    return out;
}

int build_conv(struct builder *builder, int x, const struct conv_layer *layer) {
    return build_conv_as(builder, x, layer, CONV_FAN_OUT);
}

/* The parameters of a batch norm, in the order of the original's state dict. */
struct norm_params {
    int gamma, beta, mean, var;
};

static struct norm_params use_norm(struct builder *builder, const char *name, int channels) {
    struct shape shape = {1, 1, 1, channels};
    struct param one = {.shape = shape, .rank = 1, .init = INIT_ONE, .norm = true};
    struct param zero = {.shape = shape, .rank = 1, .init = INIT_ZERO, .norm = true};
    struct norm_params norm;
    norm.gamma = build_param(builder, name, "weight", &one);
    norm.beta = build_param(builder, name, "bias", &zero);
    one.state = zero.state = true;
    norm.mean = build_param(builder, name, "running_mean", &zero);
    norm.var = build_param(builder, name, "running_var", &one);
    return norm;
}

/* Takes the conv that writes x, and must still be without residual and activation, out of the
 * program. */
static struct op take_conv_before(struct program *program, int x) {
    int i = program->n_ops - 1;
    while (i >= 0 && program->op[i].out[0] != x)
        i--;
    CHECK(i >= 0 && program->op[i].code == OP_CONV);
    struct op conv = program->op[i];
    CHECK(conv.in[3] == NO_VALUE && conv.attr.conv.act == ACT_NONE);
    program->n_ops--;
    memmove(&program->op[i], &program->op[i + 1],
            (size_t)(program->n_ops - i) * sizeof *program->op);
    return conv;
}

struct op build_derived(struct builder *builder, const struct op *op, const char *const suffix[2]) {
    struct program *program = builder->program;
    struct op added = program_emit(program, op, 0);
    const char *layer = program->value[added.in[0]].name;
    for (int i = 0; i < 2; i++) {
        struct value *value = &program->value[added.out[i]];
        value->kind = VALUE_DERIVED;
        value->dtype = DTYPE_F32;
        char name[sizeof value->name];
        snprintf(name, sizeof name, "%.40s.%s", layer, suffix[i]);
        memcpy(value->name, name, sizeof name);
    }
    return added;
}

/* The conv moves behind whatever computes the residual. */
static int fold_into_conv(struct builder *builder, const struct norm_params *norm, int x,
                          int residual, enum activation act) {
    static const char *const suffix[] = {"folded_weight", "folded_bias"};
    struct program *program = builder->program;
    struct op fold = op_new(OP_FOLD_BN, SECTION_PROLOGUE);
    struct op conv = take_conv_before(program, x);
    fold.in[0] = conv.in[1];
    fold.in[1] = norm->gamma;
    fold.in[2] = norm->beta;
    fold.in[3] = norm->mean;
    fold.in[4] = norm->var;
    fold.in[5] = conv.in[2];
    fold.attr.norm.eps = NORM_EPS;
    const struct op added = build_derived(builder, &fold, suffix);
    conv.in[1] = added.out[0];
    conv.in[2] = added.out[1];
    conv.in[3] = residual;
    conv.attr.conv.act = act;
    program_add_op(program, &conv, 0);
    return x;
}

/* The norm as an op of its own. */
static int scale_and_shift(struct builder *builder, const struct norm_params *norm, int x,
                           const char *name) {
    static const char *const suffix[] = {"scale", "shift"};
    struct op scale = op_new(OP_BN_SCALE, SECTION_PROLOGUE);
    scale.in[0] = norm->gamma;
    scale.in[1] = norm->beta;
    scale.in[2] = norm->mean;
    scale.in[3] = norm->var;
    scale.attr.norm.eps = NORM_EPS;
    scale = build_derived(builder, &scale, suffix);
    struct op op = build_op(OP_SCALE_ACT, x);
    op.in[1] = scale.out[0];
    op.in[2] = scale.out[1];
    op.attr.norm.act = ACT_RELU;
    return build_finish(builder, &op, name);
}

static void update_running(struct builder *builder, const struct norm_params *norm,
                           const struct op *bn) {
    struct shape x = builder->program->value[bn->in[0]].shape;
    struct op op = op_new(OP_BN_UPDATE, SECTION_UPDATE);
    op.in[0] = bn->out[1];
    op.in[1] = bn->out[2];
    op.out[0] = norm->mean;
    op.out[1] = norm->var;
    op.attr.norm = (struct norm_attr){NORM_EPS, NORM_MOMENTUM, x.n * x.h * x.w, ACT_NONE};
    program_add_op(builder->program, &op, 0);
}

/* Of the batch: with an update of the running statistics. */
static int norm_of_batch(struct builder *builder, const char *name, const struct norm_params *norm,
                         int x, int residual, enum activation act) {
    struct op op = build_op(OP_BN_ACT, x);
    op.in[1] = norm->gamma;
    op.in[2] = norm->beta;
    op.in[3] = residual;
    op.attr.norm.eps = NORM_EPS;
    op.attr.norm.act = act;
    int y = build_finish(builder, &op, name);
    update_running(builder, norm, &builder->program->op[builder->program->n_ops - 1]);
    return y;
}

int build_bn_act(struct builder *builder, const char *name, int x, int residual,
                 enum activation act) {
    struct norm_params norm = use_norm(builder, name, build_channels(builder, x));
    if (builder->mode == BUILD_INFER)
        return fold_into_conv(builder, &norm, x, residual, act);
    return norm_of_batch(builder, name, &norm, x, residual, act);
}

int build_pre_act(struct builder *builder, const char *name, int x) {
    struct norm_params norm = use_norm(builder, name, build_channels(builder, x));
    if (builder->mode == BUILD_INFER)
        return scale_and_shift(builder, &norm, x, name);
    return norm_of_batch(builder, name, &norm, x, NO_VALUE, ACT_RELU);
}

int build_residual(struct builder *builder, int x, int other) {
    if (builder->mode == BUILD_INFER) {
        struct op conv = take_conv_before(builder->program, x);
        conv.in[3] = other;
        program_add_op(builder->program, &conv, 0);
        return x;
    }
    struct op op = build_op(OP_ADD, x);
    op.in[1] = other;
    return program_emit(builder->program, &op, 0).out[0];
}

int build_pool(struct builder *builder, int x, const struct pool_attr *attr) {
    struct op op = build_op(OP_POOL, x);
    op.attr.pool = *attr;
    return program_emit(builder->program, &op, 0).out[0];
}

int build_concat(struct builder *builder, int a, int b) {
    struct op op = build_op(OP_CONCAT, a);
    op.in[1] = b;
    return program_emit(builder->program, &op, 0).out[0];
}

void build_split(struct builder *builder, int x, int first, int out[2]) {
    struct op op = build_op(OP_SPLIT, x);
    op.attr.channel.first = first;
    op = program_emit(builder->program, &op, 0);
    memcpy(out, op.out, 2 * sizeof *out);
}

int build_channel_shuffle(struct builder *builder, int x, int groups) {
    struct op op = build_op(OP_CHANNEL_SHUFFLE, x);
    op.attr.channel.groups = groups;
    return program_emit(builder->program, &op, 0).out[0];
}

int build_global_pool(struct builder *builder, int x) {
    struct op op = build_op(OP_GLOBAL_POOL, x);
    int y = build_finish(builder, &op, "pooled");
    builder->program->value[y].dtype = DTYPE_F32; /* small, and the classifier is f32 */
    return y;
}

int build_linear_layer(struct builder *builder, int x, const struct linear_layer *layer) {
    int inputs = build_channels(builder, x);
    struct param weight = {.shape = {layer->outputs, 1, 1, inputs},
                           .rank = 2,
                           .init = layer->weight_init,
                           .fan = inputs};
    struct param bias = {.shape = {1, 1, 1, layer->outputs},
                         .rank = 1,
                         .init = layer->bias_init,
                         .fan = inputs,
                         .norm = true};
    struct op op = build_op(OP_LINEAR, x);
    op.in[1] = build_param(builder, layer->name, "weight", &weight);
    op.in[2] = build_param(builder, layer->name, "bias", &bias);
    return build_finish(builder, &op, layer->name);
}

int build_linear(struct builder *builder, const char *name, int x, int outputs) {
    return build_linear_layer(
        builder, x,
        &(struct linear_layer){name, outputs, INIT_UNIFORM_FAN_IN, INIT_UNIFORM_FAN_IN});
}
