/*
 * Convolutions: by cuDNN where it has a plan, by own kernels where it has none and for groups.
 * Those that are products (1x1, without stride) may be cuBLASLt's.
 *
 * In bf16 cuDNN wants weights in bf16 and channels of x that are a multiple of 8: copies, which are
 * made before the op where values are f32 (cuda_copy_format), in the workspace where x is bf16.
 */
#include "engine/backend/cuda/product.h"
#include "engine/base/mem.h"

#include <stdlib.h>

/* Operands, as conv and its two gradients have them: inputs of the op, or OUT. */
enum { OUT = OP_MAX_IN };
static const struct role {
    enum product_kind product;
    int x, weight, y;
} roles[] = {
    [DNN_CONV] = {PRODUCT_Y, 0, 1, OUT},
    [DNN_CONV_DX] = {PRODUCT_DX, OUT, 1, 0},
    [DNN_CONV_DW] = {PRODUCT_DW, 1, OUT, 0},
};

static enum dnn_kind kind_of(const struct kernel_context *context) {
    enum opcode code = context->op->code;
    return code == OP_CONV ? DNN_CONV : code == OP_CONV_DX ? DNN_CONV_DX : DNN_CONV_DW;
}

static const struct value *operand(const struct kernel_context *context, int i) {
    return i < OUT ? context_in(context, i) : context_out(context, i - OUT);
}

static bool is_native(const struct kernel_context *context, int i) {
    return (i < OUT ? context->in[i] : context->out[i - OUT]) == FORMAT_NATIVE;
}

static struct conv_args geometry_of(const struct kernel_context *context) {
    const struct conv_attr *attr = &context->op->attr.conv;
    const struct role *role = &roles[kind_of(context)];
    struct shape x = operand(context, role->x)->shape, y = operand(context, role->y)->shape;
    struct shape weight = operand(context, role->weight)->shape;
    return (struct conv_args){.n = x.n,
                              .h = x.h,
                              .w = x.w,
                              .c = x.c,
                              .yh = y.h,
                              .yw = y.w,
                              .k = weight.n,
                              .r = weight.h,
                              .s = weight.w,
                              .stride = attr->stride,
                              .pad = attr->pad,
                              .groups = attr->groups,
                              .act = (enum launch_act)attr->act};
}

/* --- who computes it --- */

struct choice {
    struct dnn_problem problem;
    const struct dnn_plan *plan; /* NULL: no convolution of cuDNN */
    struct product product;      /* its plan NULL: no product of cuBLASLt */
};

/* In bf16 x is filled up, unless it is what is computed. */
static struct dnn_problem problem_of(const struct kernel_context *base) {
    const struct op *op = base->op;
    struct conv_args conv = geometry_of(base);
    enum dnn_kind kind = kind_of(base);
    bool bf16 = is_native(base, roles[kind].y);
    return (struct dnn_problem){.kind = kind,
                                .n = conv.n,
                                .h = conv.h,
                                .w = conv.w,
                                .c = bf16 && kind != DNN_CONV_DX ? cuda_filled(conv.c) : conv.c,
                                .yh = conv.yh,
                                .yw = conv.yw,
                                .k = conv.k,
                                .r = conv.r,
                                .s = conv.s,
                                .stride = conv.stride,
                                .pad = conv.pad,
                                .bf16 = bf16,
                                .bias = op->in[2] != NO_VALUE || op->in[3] != NO_VALUE,
                                .residual = op->in[3] != NO_VALUE,
                                .relu = kind == DNN_CONV && op->attr.conv.act == ACT_RELU,
                                .tf32 = !bf16 && base->program->tf32};
}

/* cuDNN's operands have one type. Only x may be f32 where it is bf16: pictures are, and weights. */
static bool types_fit(const struct kernel_context *base, const struct dnn_problem *problem) {
    bool bf16 = problem->bf16, x_bf16 = is_native(base, roles[problem->kind].x);
    if (problem->kind == DNN_CONV_DX)
        return x_bf16 == bf16;
    return (bf16 || !x_bf16) && (!problem->residual || is_native(base, 3) == bf16);
}

/* Is a convolution computed as a product? 1x1 ones without stride can be. Which library is faster
 * at them nobody has measured (bench_gpu.py has rows for it), so cuDNN gets those that it need not
 * compile a kernel for. */
static bool takes_product(const struct kernel_context *context, const struct choice *choice) {
    const struct dnn_problem *problem = &choice->problem;
    enum pointwise pointwise = cuda_of(context)->pointwise;
    if (problem->r != 1 || problem->s != 1 || problem->stride != 1 || problem->pad ||
        context->op->attr.conv.groups != 1)
        return false;
    if (pointwise == POINTWISE_BEST)
        return !choice->plan || choice->plan->compiled_late;
    return pointwise == POINTWISE_CUBLASLT;
}

static struct choice choose(const struct kernel_context *context) {
    struct kernel_context base = cuda_base(context);
    struct choice choice = {.problem = problem_of(&base)};
    struct dnn *dnn = cuda_of(context)->dnn;
    if (dnn && context->op->attr.conv.groups == 1 && types_fit(&base, &choice.problem))
        choice.plan = dnn_plan_of(dnn, &choice.problem);
    if (takes_product(context, &choice))
        choice.product =
            product_of(context, roles[choice.problem.kind].product, choice.problem.relu);
    if (choice.product.plan)
        choice.plan = NULL;
    return choice;
}

/* --- formats --- */

static void ask_for_copy(struct kernel_context *context, int i, bool filled) {
    enum format *format = i < OUT ? &context->in[i] : &context->out[i - OUT];
    *format = cuda_copy_format(operand(context, i), filled);
}

void cuda_conv_formats(struct kernel_context *context) {
    struct choice choice = choose(context);
    const struct role *role = &roles[choice.problem.kind];
    cuda_formats(context);
    product_formats(&choice.product, context);
    if (!choice.plan || !choice.problem.bf16)
        return;
    bool filled = choice.problem.kind != DNN_CONV_DX;
    ask_for_copy(context, role->weight, filled);
    if (operand(context, role->x)->dtype == DTYPE_F32)
        ask_for_copy(context, role->x, filled);
    if (context->op->in[2] != NO_VALUE)
        ask_for_copy(context, 2, true);
}

/* --- prepare --- */

struct conv_state {
    struct choice choice;
    struct device *device;
    void *zeros;        /* where the plan has a bias and the op has none, or NULL */
    size_t filled_from; /* where the workspace has x filled up; 0: it is used as it is */
};

enum { ALIGNMENT = 256 };

/* Places what else a plan needs behind its own workspace. */
static size_t lay_out(struct conv_state *state, const struct kernel_context *context) {
    const struct dnn_problem *problem = &state->choice.problem;
    const struct value *x = operand(context, roles[problem->kind].x);
    size_t end = state->choice.plan->workspace_bytes;
    if (x->dtype == DTYPE_F32 || problem->c == x->shape.c)
        return end;
    state->filled_from = (end / ALIGNMENT + 1) * ALIGNMENT;
    return state->filled_from + extent_of(x->shape).pixels * (size_t)problem->c * sizeof(uint16_t);
}

/* Precompiled engines add a residual only where they add a bias. */
static enum status add_zeros(struct conv_state *state, const struct kernel_context *context,
                             struct error *err) {
    struct device *device = context->device;
    size_t bytes = (size_t)context_out(context, 0)->shape.c * sizeof(float);
    enum status status = device->backend->alloc(device, &state->zeros, bytes, "no bias", err);
    if (!status)
        device->backend->fill(device, state->zeros, 0, bytes);
    return status;
}

enum status cuda_conv_prepare(const struct kernel_context *context, void **out,
                              size_t *workspace_bytes, struct error *err) {
    struct conv_state *state = xcalloc(1, sizeof *state);
    struct conv_args conv = geometry_of(context);
    const struct choice *choice = &state->choice;
    *out = state;
    state->device = context->device;
    state->choice = choose(context);
    if (choice->product.plan)
        *workspace_bytes = choice->product.plan->workspace_bytes;
    else if (choice->plan)
        *workspace_bytes = lay_out(state, context);
    else if (choice->problem.kind == DNN_CONV_DW)
        *workspace_bytes = launch_conv_dw_workspace_bytes(&cuda_of(context)->queue, &conv);
    if (choice->plan && choice->problem.bias && context->op->in[2] == NO_VALUE)
        return add_zeros(state, context, err);
    return STATUS_OK;
}

size_t cuda_conv_dw_workspace(const struct kernel_context *context) {
    return context->op->out[1] == NO_VALUE ? 0 : cuda_sums_bytes(context, 0);
}

void cuda_conv_release(void *state) {
    struct conv_state *conv = state;
    if (conv->zeros)
        conv->device->backend->free(conv->device, conv->zeros);
    free(conv);
}

/* --- run --- */

static void *pointer_to(const struct kernel_args *args, int i) {
    return i < OUT ? args->in[i] : args->out[i - OUT];
}

static struct array array_of(const struct kernel_args *args, int i) {
    return i < OUT ? array_in(args, i) : array_out(args, i - OUT);
}

/* x, operand i, as the plan wants it. */
static void *plan_x(const struct conv_state *state, const struct kernel_args *args, int i) {
    struct shape x = operand(args->context, i)->shape;
    if (!state->filled_from)
        return pointer_to(args, i);
    void *filled = (char *)args->workspace + state->filled_from;
    launch_reorders(queue_of(args),
                    &(struct reorder){.x = array_of(args, i),
                                      .y = {filled, true},
                                      .rows = extent_of(x).pixels,
                                      .x_channels = x.c,
                                      .y_channels = state->choice.problem.c},
                    1);
    return filled;
}

static void run_plan(const struct conv_state *state, const struct kernel_args *args) {
    const struct role *role = &roles[state->choice.problem.kind];
    struct dnn_operands operands = {.x = plan_x(state, args, role->x),
                                    .w = pointer_to(args, role->weight),
                                    .y = pointer_to(args, role->y),
                                    .bias = state->zeros ? state->zeros : args->in[2],
                                    .residual = args->in[3],
                                    .workspace = args->workspace};
    dnn_run(cuda_of(args->context)->dnn, state->choice.plan, &operands);
}

static void run_own(const struct kernel_args *args) {
    static void (*const launches[])(const struct queue *, const struct conv_args *) = {
        [DNN_CONV] = launch_conv, [DNN_CONV_DX] = launch_conv_dx, [DNN_CONV_DW] = launch_conv_dw};
    enum dnn_kind kind = kind_of(args->context);
    struct conv_args launch = geometry_of(args->context);
    launch.x = array_of(args, roles[kind].x);
    launch.y = array_of(args, roles[kind].y);
    launch.weight = launch.dweight = pointer_to(args, roles[kind].weight);
    launch.bias = args->in[2];
    launch.residual = array_in(args, 3);
    launch.workspace = args->workspace;
    launches[kind](queue_of(args), &launch);
}

/* Only ReLU is in the libraries' kernels. */
static void act_behind(const struct kernel_args *args) {
    struct map_args launch = {.x = array_out(args, 0),
                              .y = array_out(args, 0),
                              .extent = extent_of(context_out(args->context, 0)->shape),
                              .act = LAUNCH_ACT_RELU6};
    if (args->context->op->code == OP_CONV && args->context->op->attr.conv.act == ACT_RELU6)
        launch_scale_act(queue_of(args), &launch);
}

void cuda_conv(const struct kernel_args *args) {
    const struct conv_state *conv = args->state;
    if (!conv->choice.product.plan && !conv->choice.plan) {
        run_own(args);
        return;
    }
    if (conv->choice.product.plan)
        product_run(&conv->choice.product, args);
    else
        run_plan(conv, args);
    act_behind(args);
}

void cuda_conv_dw(const struct kernel_args *args) {
    cuda_conv(args);
    if (args->out[1])
        launch_channel_sums(queue_of(args), array_in(args, 0),
                            extent_of(context_in(args->context, 0)->shape), args->out[1],
                            args->workspace);
}
