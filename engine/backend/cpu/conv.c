#include "engine/backend/cpu/picture.h"
#include "engine/backend/cpu/pointwise.h"
#include "engine/backend/cpu/winograd.h"

#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* An op's state: one of the four, and on how many threads oneDNN runs. */
struct conv {
    struct dnn_conv *dnn;
    struct pointwise *pointwise;
    struct winograd *winograd;
    struct picture *picture;
    int threads;
};

/* Convolutions read pictures of few channels fastest as planes, made of the PLAIN form. */
enum { PICTURE_CHANNELS = 3 };

static enum format input_format(const struct value *x) {
    return x->shape.c <= PICTURE_CHANNELS ? FORMAT_PLAIN : FORMAT_NATIVE;
}

void cpu_conv_formats(struct kernel_context *context) {
    context->in[0] = input_format(context_in(context, 0));
}

void cpu_conv_dw_formats(struct kernel_context *context) {
    context->in[1] = input_format(context_in(context, 1));
}

static struct dnn_tensor tensor_of(const struct kernel_context *context, const struct value *value,
                                   enum format format) {
    bool plain = format == FORMAT_PLAIN, wide = cpu_of(context)->vec->lanes == 16;
    return (struct dnn_tensor){.shape = value->shape,
                               .dtype = plain ? DTYPE_F32 : value->dtype,
                               .layout = plain  ? DNN_NHWC
                                         : wide ? DNN_BLOCKED_16
                                                : DNN_BLOCKED_8};
}

/* Waking the threads takes as long as this many operations on one. */
static int threads_for(const struct kernel_context *context, const struct dnn_problem *problem) {
    const double fewest_flops = 1e6;
    const struct shape *w = &problem->weight;
    double outputs = (double)shape_elements(problem->y.shape);
    return 2 * outputs * w->h * w->w * w->c < fewest_flops ? 1 : context->device->threads;
}

static enum status prepare(const struct kernel_context *context, const struct dnn_problem *problem,
                           void **state, size_t *workspace_bytes, struct error *err) {
    enum status status = STATUS_OK;
    struct conv *conv = xcalloc(1, sizeof *conv);
    *state = conv;
    if (pointwise_fits(&problem->attr, problem->weight, cpu_of(context)->vec->lanes)) {
        conv->pointwise = pointwise_create(context, problem->direction, problem->weight);
        *workspace_bytes = pointwise_workspace_bytes(conv->pointwise);
        return STATUS_OK;
    }
    if (picture_fits(problem)) {
        conv->picture = picture_create(context);
        *workspace_bytes = picture_workspace_bytes(conv->picture);
        return STATUS_OK;
    }
    if (winograd_fits(context, problem)) {
        status = winograd_create(&conv->winograd, context, problem, err);
        if (!status)
            *workspace_bytes = winograd_workspace_bytes(conv->winograd);
        return status;
    }
    conv->threads = threads_for(context, problem);
    parallel_set_threads(conv->threads);
    status = dnn_conv_create(&conv->dnn, cpu_of(context)->dnn, problem, err);
    if (!status)
        *workspace_bytes = dnn_conv_workspace_bytes(conv->dnn);
    return status;
}

enum status cpu_conv_prepare(const struct kernel_context *context, void **state,
                             size_t *workspace_bytes, struct error *err) {
    const struct value *weight = context_in(context, 1);
    struct dnn_problem problem = {
        .direction = DNN_FORWARD,
        .x = tensor_of(context, context_in(context, 0), context->in[0]),
        .y = tensor_of(context, context_out(context, 0), context->out[0]),
        .weight = weight->shape,
        .attr = context->op->attr.conv,
        .bias = context->op->in[2] != NO_VALUE,
        .residual = context->op->in[3] != NO_VALUE,
        .constant_weight = program_keeps(context->program, context->op->in[1]),
    };
    return prepare(context, &problem, state, workspace_bytes, err);
}

enum status cpu_conv_dx_prepare(const struct kernel_context *context, void **state,
                                size_t *workspace_bytes, struct error *err) {
    struct dnn_problem problem = {
        .direction = DNN_BACKWARD_DATA,
        .x = tensor_of(context, context_out(context, 0), context->out[0]),
        .y = tensor_of(context, context_in(context, 0), context->in[0]),
        .weight = context_in(context, 1)->shape,
        .attr = context->op->attr.conv,
    };
    problem.attr.act = ACT_NONE;
    return prepare(context, &problem, state, workspace_bytes, err);
}

enum status cpu_conv_dw_prepare(const struct kernel_context *context, void **state,
                                size_t *workspace_bytes, struct error *err) {
    struct dnn_problem problem = {
        .direction = DNN_BACKWARD_WEIGHTS,
        .x = tensor_of(context, context_in(context, 1), context->in[1]),
        .y = tensor_of(context, context_in(context, 0), context->in[0]),
        .weight = context_out(context, 0)->shape,
        .attr = context->op->attr.conv,
    };
    problem.attr.act = ACT_NONE;
    return prepare(context, &problem, state, workspace_bytes, err);
}

void cpu_conv_refresh(const struct kernel_args *args) {
    struct device *device = args->context->device;
    struct conv *conv = args->state;
    if (conv->pointwise) {
        pointwise_refresh(conv->pointwise, args->in[1]);
        return;
    }
    if (conv->winograd) {
        winograd_refresh(conv->winograd, device, args->in[1]);
        return;
    }
    if (conv->picture)
        return;
    parallel_set_threads(conv->threads);
    dnn_conv_refresh(conv->dnn, device, args->in[1], args->workspace);
}

static void run(const struct kernel_args *args, const struct dnn_pointers *pointers) {
    const struct conv *conv = args->state;
    if (conv->pointwise) {
        pointwise_run(conv->pointwise, args);
        return;
    }
    if (conv->winograd) {
        winograd_run(conv->winograd, args);
        return;
    }
    if (conv->picture) {
        picture_run(conv->picture, args);
        return;
    }
    parallel_set_threads(conv->threads);
    dnn_conv_run(conv->dnn, pointers);
}

/* The residual is added to what y holds; where y did not take over its place, it is copied. */
void cpu_conv(const struct kernel_args *args) {
    const struct kernel_context *context = args->context;
    const struct value *y = context_out(context, 0);
    const struct conv *conv = args->state;
    if (conv->dnn && args->in[3] && args->in[3] != args->out[0])
        memcpy(args->out[0], args->in[3],
               context->device->backend->native_bytes(context->device, y));
    struct dnn_pointers pointers = {.x = args->in[0],
                                    .y = args->out[0],
                                    .weight = args->in[1],
                                    .bias = args->in[2],
                                    .workspace = args->workspace};
    run(args, &pointers);
}

void cpu_conv_dx(const struct kernel_args *args) {
    struct dnn_pointers pointers = {
        .x = args->out[0], .y = args->in[0], .weight = args->in[1], .workspace = args->workspace};
    run(args, &pointers);
}

void cpu_conv_dw(const struct kernel_args *args) {
    struct dnn_pointers pointers = {
        .x = args->in[1], .y = args->in[0], .weight = args->out[0], .workspace = args->workspace};
    run(args, &pointers);
    if (args->out[1])
        cpu_sum_channels(args, args->out[1]);
}

void cpu_conv_release(void *state) {
    struct conv *conv = state;
    dnn_conv_free(conv->dnn);
    pointwise_free(conv->pointwise);
    winograd_free(conv->winograd);
    picture_free(conv->picture);
    free(conv);
}
