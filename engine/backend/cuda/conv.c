/*
 * Convolutions: by cuDNN where it has a plan, by own kernels where it has none and for groups.
 * Those that are products (1x1, without stride) may be cuBLASLt's.
 *
 * In bf16 cuDNN wants weights in bf16 (weight.h) and the channels of x filled up to a multiple of
 * 8, which is done in the workspace.
 */
#include "engine/backend/cuda/product.h"
#include "engine/base/mem.h"

#include <stdlib.h>

enum { TENSOR_CORE_CHANNELS = 8 };

struct conv_state {
    struct product product;      /* its plan NULL: no product */
    const struct dnn_plan *plan; /* NULL: own kernels */
    struct device *device;
    struct weight weight;
    void *zeros;     /* where the plan has a bias and the op has none, or NULL */
    bool copies_x;   /* as the plan wants it, in bf16 and filled up */
    int channels;    /* of x, filled up */
    size_t x_offset; /* in the workspace */
};

static struct conv_args geometry(const struct kernel_context *context, struct shape x,
                                 struct shape weight, struct shape y) {
    const struct conv_attr *attr = &context->op->attr.conv;
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

static struct conv_args conv_geometry(const struct kernel_context *context) {
    return geometry(context, context_in(context, 0)->shape, context_in(context, 1)->shape,
                    context_out(context, 0)->shape);
}

static struct conv_args conv_dx_geometry(const struct kernel_context *context) {
    return geometry(context, context_out(context, 0)->shape, context_in(context, 1)->shape,
                    context_in(context, 0)->shape);
}

static struct conv_args conv_dw_geometry(const struct kernel_context *context) {
    return geometry(context, context_in(context, 1)->shape, context_out(context, 0)->shape,
                    context_in(context, 0)->shape);
}

/* --- prepare --- */

/* cuDNN's operands have one type. Only x may be f32 where it is bf16: pictures are, and weights. */
static bool types_fit(const struct kernel_context *context, const struct dnn_problem *problem) {
    bool residual_fits =
        context->op->in[3] == NO_VALUE || (context->in[3] == FORMAT_NATIVE) == (problem->bf16 != 0);
    if (problem->kind == DNN_CONV_DX)
        return (context->out[0] == FORMAT_NATIVE) == (problem->bf16 != 0);
    bool x_bf16 = context->in[problem->kind == DNN_CONV ? 0 : 1] == FORMAT_NATIVE;
    return residual_fits && (problem->bf16 || !x_bf16);
}

static bool copies_x(const struct kernel_context *context, const struct conv_args *conv,
                     const struct conv_args *filled, const struct dnn_problem *problem) {
    if (!problem->bf16 || problem->kind == DNN_CONV_DX)
        return false;
    int x = problem->kind == DNN_CONV ? 0 : 1;
    return filled->c != conv->c || context->in[x] != FORMAT_NATIVE;
}

static const struct dnn_plan *find_plan(const struct kernel_context *context,
                                        struct conv_args *conv, struct dnn_problem problem) {
    if (!cuda_of(context)->dnn || conv->groups > 1 || !types_fit(context, &problem))
        return NULL;
    problem.n = conv->n;
    problem.h = conv->h;
    problem.w = conv->w;
    problem.c = conv->c;
    problem.yh = conv->yh;
    problem.yw = conv->yw;
    problem.k = conv->k;
    problem.r = conv->r;
    problem.s = conv->s;
    problem.stride = conv->stride;
    problem.pad = conv->pad;
    problem.tf32 = !problem.bf16 && context->program->tf32;
    return dnn_plan_of(cuda_of(context)->dnn, &problem);
}

/* Places converted weights, their bias and filled-up x behind what the plan itself needs. */
static size_t lay_out(struct conv_state *state, const struct conv_args *conv,
                      const struct dnn_problem *problem) {
    struct shape weight = {conv->k, conv->r, conv->s, conv->c};
    size_t pixels = (size_t)conv->n * (size_t)conv->h * (size_t)conv->w;
    size_t end = weight_aligned(state->plan->workspace_bytes);
    if (problem->bf16)
        end = weight_lay_out(&state->weight, weight, state->channels, problem->bias, end);
    state->x_offset = end;
    if (!state->copies_x)
        return end;
    return end + weight_aligned(pixels * (size_t)state->channels * sizeof(uint16_t));
}

/* Is a convolution computed as a product? 1x1 ones without stride can be. Which library is faster
 * at them nobody has measured (bench_gpu.py has rows for it), so cuDNN gets those that it need not
 * compile a kernel for. */
static bool takes_product(const struct kernel_context *context, const struct conv_args *conv,
                          const struct dnn_plan *plan) {
    enum pointwise pointwise = cuda_of(context)->pointwise;
    if (conv->r != 1 || conv->s != 1 || conv->stride != 1 || conv->pad || conv->groups != 1)
        return false;
    if (pointwise == POINTWISE_BEST)
        return !plan || plan->compiled_late;
    return pointwise == POINTWISE_CUBLASLT;
}

static const enum product_kind product_kinds[] = {
    [DNN_CONV] = PRODUCT_Y, [DNN_CONV_DX] = PRODUCT_DX, [DNN_CONV_DW] = PRODUCT_DW};

static enum status prepare(const struct kernel_context *context, struct conv_args conv,
                           struct dnn_problem problem, void **out, size_t *workspace_bytes,
                           struct error *err) {
    struct conv_state *state = xcalloc(1, sizeof *state);
    struct conv_args filled = conv;
    *out = state;
    state->device = context->device;
    if (problem.bf16 && problem.kind != DNN_CONV_DX)
        filled.c =
            (conv.c + TENSOR_CORE_CHANNELS - 1) / TENSOR_CORE_CHANNELS * TENSOR_CORE_CHANNELS;
    state->channels = filled.c;
    state->copies_x = copies_x(context, &conv, &filled, &problem);
    state->plan = find_plan(context, &filled, problem);
    if (takes_product(context, &conv, state->plan))
        *workspace_bytes =
            product_prepare(&state->product, context, product_kinds[problem.kind], problem.relu);
    if (state->product.plan)
        state->plan = NULL;
    else if (state->plan)
        *workspace_bytes = lay_out(state, &conv, &problem);
    else if (problem.kind == DNN_CONV_DW)
        *workspace_bytes = launch_conv_dw_workspace_bytes(&cuda_of(context)->queue, &conv);
    return cuda_prepare(context, NULL, NULL, err);
}

/* Precompiled engines add a residual only where they add a bias. */
static enum status add_zeros(struct conv_state *state, const struct kernel_context *context,
                             struct error *err) {
    struct device *device = context->device;
    size_t bytes = (size_t)context_out(context, 0)->shape.c * sizeof(float);
    enum status status = device->backend->alloc(device, &state->zeros, bytes, "no bias", err);
    if (status == STATUS_OK)
        device->backend->fill(device, state->zeros, 0, bytes);
    state->weight.bias_bytes = 0;
    return status;
}

enum status cuda_conv_prepare(const struct kernel_context *context, void **state,
                              size_t *workspace_bytes, struct error *err) {
    struct dnn_problem problem = {.kind = DNN_CONV,
                                  .bf16 = context->out[0] == FORMAT_NATIVE, /* x may be pictures */
                                  .bias = context->op->in[2] != NO_VALUE ||
                                          context->op->in[3] != NO_VALUE,
                                  .residual = context->op->in[3] != NO_VALUE,
                                  .relu = context->op->attr.conv.act == ACT_RELU};
    enum status status =
        prepare(context, conv_geometry(context), problem, state, workspace_bytes, err);
    const struct conv_state *conv = *state;
    if (status == STATUS_OK && conv->plan && problem.bias && context->op->in[2] == NO_VALUE)
        status = add_zeros(*state, context, err);
    return status;
}

enum status cuda_conv_dx_prepare(const struct kernel_context *context, void **state,
                                 size_t *workspace_bytes, struct error *err) {
    struct dnn_problem problem = {.kind = DNN_CONV_DX, .bf16 = context->in[0] == FORMAT_NATIVE};
    return prepare(context, conv_dx_geometry(context), problem, state, workspace_bytes, err);
}

enum status cuda_conv_dw_prepare(const struct kernel_context *context, void **state,
                                 size_t *workspace_bytes, struct error *err) {
    struct dnn_problem problem = {.kind = DNN_CONV_DW, .bf16 = context->in[0] == FORMAT_NATIVE};
    enum status status =
        prepare(context, conv_dw_geometry(context), problem, state, workspace_bytes, err);
    size_t sums = launch_norm_workspace_bytes(&cuda_of(context)->queue,
                                              extent_of(context_in(context, 0)->shape),
                                              context->in[0] == FORMAT_NATIVE);
    if (context->op->out[1] != NO_VALUE && sums > *workspace_bytes)
        *workspace_bytes = sums;
    return status;
}

void cuda_conv_release(void *state) {
    struct conv_state *conv = state;
    product_release(&conv->product, conv->device);
    weight_release(&conv->weight, conv->device);
    if (conv->zeros)
        conv->device->backend->free(conv->device, conv->zeros);
    free(conv);
}

/* --- run --- */

static void *at(const struct kernel_args *args, size_t offset) {
    return (char *)args->workspace + offset;
}

void cuda_conv_refresh(void *state, const struct kernel_args *args) {
    struct conv_state *conv = state;
    weight_refresh(&conv->weight, args);
    weight_refresh(&conv->product.weight, args);
}

/* Sets weights and bias as the plan wants them. */
static void plan_weight(const struct conv_state *state, const struct kernel_args *args,
                        struct dnn_operands *operands) {
    weight_operands(&state->weight, args, &operands->w, &operands->bias);
    if (state->zeros)
        operands->bias = state->zeros;
}

/* x as the plan wants it. */
static void *plan_x(const struct conv_state *state, const struct kernel_args *args, int in) {
    struct shape x = context_in(args->context, in)->shape;
    if (!state->copies_x)
        return args->in[in];
    void *to = at(args, state->x_offset);
    copy_channels(args, array_in(args, in), x.c, (struct array){to, true}, state->channels,
                  extent_of(x).pixels);
    return to;
}

/* Only ReLU is in the precompiled engines. */
static void act_behind(const struct kernel_args *args) {
    struct map_args launch = {.x = array_out(args, 0),
                              .y = array_out(args, 0),
                              .extent = extent_of(context_out(args->context, 0)->shape),
                              .act = LAUNCH_ACT_RELU6};
    launch_scale_act(queue_of(args), &launch);
}

void cuda_conv(void *state, const struct kernel_args *args) {
    const struct conv_state *conv = state;
    if (conv->product.plan) {
        product_run(&conv->product, args);
        if (args->context->op->attr.conv.act == ACT_RELU6)
            act_behind(args);
        return;
    }
    if (conv->plan) {
        struct dnn_operands operands = {.x = plan_x(conv, args, 0),
                                        .y = args->out[0],
                                        .residual = args->in[3],
                                        .workspace = args->workspace};
        plan_weight(conv, args, &operands);
        dnn_run(cuda_of(args->context)->dnn, conv->plan, &operands);
        if (args->context->op->attr.conv.act == ACT_RELU6)
            act_behind(args);
        return;
    }
    struct conv_args launch = conv_geometry(args->context);
    launch.x = array_in(args, 0);
    launch.weight = args->in[1];
    launch.bias = args->in[2];
    launch.residual = array_in(args, 3);
    launch.y = array_out(args, 0);
    launch_conv(queue_of(args), &launch);
}

void cuda_conv_dx(void *state, const struct kernel_args *args) {
    const struct conv_state *conv = state;
    if (conv->product.plan) {
        product_run(&conv->product, args);
        return;
    }
    if (conv->plan) {
        struct dnn_operands operands = {
            .x = args->out[0], .y = args->in[0], .workspace = args->workspace};
        plan_weight(conv, args, &operands);
        dnn_run(cuda_of(args->context)->dnn, conv->plan, &operands);
        return;
    }
    struct conv_args launch = conv_dx_geometry(args->context);
    launch.x = array_out(args, 0);
    launch.weight = args->in[1];
    launch.y = array_in(args, 0);
    launch_conv_dx(queue_of(args), &launch);
}

static void plan_dw(const struct conv_state *conv, const struct kernel_args *args) {
    struct shape dw = context_out(args->context, 0)->shape;
    struct dnn_operands operands = {.x = plan_x(conv, args, 1),
                                    .w = args->out[0],
                                    .y = args->in[0],
                                    .workspace = args->workspace};
    if (conv->weight.bytes)
        operands.w = at(args, conv->weight.offset);
    dnn_run(cuda_of(args->context)->dnn, conv->plan, &operands);
    if (conv->weight.bytes)
        copy_channels(args, (struct array){operands.w, true}, conv->channels, array_out(args, 0),
                      dw.c, (uint32_t)(dw.n * dw.h * dw.w));
}

void cuda_conv_dw(void *state, const struct kernel_args *args) {
    const struct conv_state *conv = state;
    if (conv->product.plan) {
        product_run(&conv->product, args);
    } else if (conv->plan) {
        plan_dw(conv, args);
    } else {
        struct conv_args launch = conv_dw_geometry(args->context);
        launch.x = array_in(args, 1);
        launch.y = array_in(args, 0);
        launch.dweight = args->out[0];
        launch.workspace = args->workspace;
        launch_conv_dw(queue_of(args), &launch);
    }
    if (args->out[1])
        launch_channel_sums(queue_of(args), array_in(args, 0),
                            extent_of(context_in(args->context, 0)->shape), args->out[1],
                            args->workspace);
}
