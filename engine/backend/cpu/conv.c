#include "engine/backend/cpu/conv_way.h"

#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* --- formats --- */

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

/* --- oneDNN's way, for all that no other one takes --- */

struct direct {
    struct dnn_conv *conv;
    int threads;
};

/* Waking the threads takes as long as this many operations on one. */
static int threads_for(const struct kernel_context *context, const struct dnn_problem *problem) {
    const double fewest_flops = 1e6;
    const struct shape *w = &problem->weight;
    double outputs = (double)shape_elements(problem->y.shape);
    return 2 * outputs * w->h * w->w * w->c < fewest_flops ? 1 : context->device->threads;
}

static enum status direct_create(const struct kernel_context *context,
                                 const struct dnn_problem *problem, void **state,
                                 size_t *workspace_bytes, struct error *err) {
    struct direct *it = *state = xcalloc(1, sizeof *it);
    it->threads = threads_for(context, problem);
    parallel_set_threads(it->threads);
    enum status status = dnn_conv_create(&it->conv, cpu_of(context)->dnn, problem, err);
    if (!status)
        *workspace_bytes = dnn_conv_workspace_bytes(it->conv);
    return status;
}

static void direct_refresh(void *state, const struct kernel_args *args) {
    const struct direct *it = state;
    parallel_set_threads(it->threads);
    dnn_conv_refresh(it->conv, args->context->device, args->in[1], args->workspace);
}

/* The residual is added to what y holds; where y did not take over its place, it is copied. */
static void direct_run(void *state, const struct kernel_args *args) {
    const struct kernel_context *context = args->context;
    const struct direct *it = state;
    struct dnn_pointers pointers = cpu_dnn_pointers(args);
    if (args->in[3] && args->in[3] != args->out[0])
        memcpy(args->out[0], args->in[3],
               context->device->backend->native_bytes(context->device, context_out(context, 0)));
    parallel_set_threads(it->threads);
    dnn_conv_run(it->conv, &pointers);
}

static void direct_free(void *state) {
    struct direct *it = state;
    dnn_conv_free(it->conv);
    free(it);
}

static const struct conv_way conv_direct = {
    .create = direct_create, .refresh = direct_refresh, .run = direct_run, .free = direct_free};

/* --- the kernels --- */

struct conv {
    const struct conv_way *way;
    void *state; /* the way's */
};

static struct dnn_tensor tensor_of(const struct kernel_context *context, int i) {
    const struct value *value = cpu_operand(context, i);
    enum format format = i == CPU_OUT ? context->out[0] : context->in[i];
    bool plain = format == FORMAT_PLAIN, wide = cpu_of(context)->vec->lanes == 16;
    return (struct dnn_tensor){.shape = value->shape,
                               .dtype = plain ? DTYPE_F32 : value->dtype,
                               .layout = plain  ? DNN_NHWC
                                         : wide ? DNN_BLOCKED_16
                                                : DNN_BLOCKED_8};
}

static struct dnn_problem problem_of(const struct kernel_context *context) {
    const struct cpu_role *role = cpu_role_of(context);
    const struct op *op = context->op;
    bool forward = role->direction == DNN_FORWARD;
    struct dnn_problem problem = {
        .direction = role->direction,
        .x = tensor_of(context, role->x),
        .y = tensor_of(context, role->y),
        .weight = cpu_operand(context, role->weight)->shape,
        .attr = op->attr.conv,
        .bias = op->in[2] != NO_VALUE,
        .residual = op->in[3] != NO_VALUE,
        .constant_weight = forward && program_keeps(context->program, op->in[1]),
    };
    if (!forward)
        problem.attr.act = ACT_NONE;
    return problem;
}

enum status cpu_conv_prepare(const struct kernel_context *context, void **state,
                             size_t *workspace_bytes, struct error *err) {
    static const struct conv_way *const ways[] = {&conv_pointwise, &conv_picture, &conv_winograd,
                                                  &conv_direct};
    struct dnn_problem problem = problem_of(context);
    struct conv *conv = *state = xcalloc(1, sizeof *conv);
    const struct conv_way *const *way = ways;
    while ((*way)->fits && !(*way)->fits(&problem, cpu_of(context)->vec))
        way++;
    conv->way = *way;
    return conv->way->create(context, &problem, &conv->state, workspace_bytes, err);
}

void cpu_conv_refresh(const struct kernel_args *args) {
    const struct conv *conv = args->state;
    if (conv->way->refresh)
        conv->way->refresh(conv->state, args);
}

void cpu_conv(const struct kernel_args *args) {
    const struct conv *conv = args->state;
    conv->way->run(conv->state, args);
}

void cpu_conv_dw(const struct kernel_args *args) {
    cpu_conv(args);
    if (args->out[1])
        cpu_sum_channels(args, args->out[1]);
}

void cpu_conv_release(void *state) {
    struct conv *conv = state;
    conv->way->free(conv->state);
    free(conv);
}
