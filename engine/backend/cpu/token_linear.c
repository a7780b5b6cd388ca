#include "engine/backend/cpu/cpu_internal.h"
#include "engine/backend/cpu/dnn_linear.h"

void cpu_token_formats(struct kernel_context *context) {
    for (int i = 0; i < OP_MAX_IN; i++)
        if (context->op->in[i] != NO_VALUE)
            context->in[i] = token_format(context_in(context, i));
    for (int i = 0; i < OP_MAX_OUT; i++)
        if (context->op->out[i] != NO_VALUE)
            context->out[i] = token_format(context_out(context, i));
}

static int rows_of(const struct value *value) {
    return value->shape.n * value->shape.h * value->shape.w;
}

static enum status prepare(const struct kernel_context *context,
                           const struct dnn_linear_problem *problem, void **state,
                           size_t *workspace_bytes, struct error *err) {
    struct dnn_linear *linear;
    parallel_set_threads(context->device->threads);
    enum status status = dnn_linear_create(&linear, cpu_of(context)->dnn, problem, err);
    if (status)
        return status;
    *state = linear;
    *workspace_bytes = dnn_linear_workspace_bytes(linear);
    return STATUS_OK;
}

enum status cpu_token_linear_prepare(const struct kernel_context *context, void **state,
                                     size_t *workspace_bytes, struct error *err) {
    const struct value *x = context_in(context, 0), *weight = context_in(context, 1);
    struct dnn_linear_problem problem = {.direction = DNN_FORWARD,
                                         .rows = rows_of(x),
                                         .inputs = weight->shape.c,
                                         .outputs = weight->shape.n,
                                         .dtype = x->dtype,
                                         .gelu = context->op->attr.gelu,
                                         .residual = context->op->in[3] != NO_VALUE,
                                         .constant_weight =
                                             program_keeps(context->program, context->op->in[1])};
    return prepare(context, &problem, state, workspace_bytes, err);
}

enum status cpu_token_linear_dx_prepare(const struct kernel_context *context, void **state,
                                        size_t *workspace_bytes, struct error *err) {
    const struct value *dy = context_in(context, 0), *weight = context_in(context, 1);
    struct dnn_linear_problem problem = {.direction = DNN_BACKWARD_DATA,
                                         .rows = rows_of(dy),
                                         .inputs = weight->shape.c,
                                         .outputs = weight->shape.n,
                                         .dtype = dy->dtype};
    return prepare(context, &problem, state, workspace_bytes, err);
}

enum status cpu_token_linear_dw_prepare(const struct kernel_context *context, void **state,
                                        size_t *workspace_bytes, struct error *err) {
    const struct value *dy = context_in(context, 0), *weight = context_out(context, 0);
    struct dnn_linear_problem problem = {.direction = DNN_BACKWARD_WEIGHTS,
                                         .rows = rows_of(dy),
                                         .inputs = weight->shape.c,
                                         .outputs = weight->shape.n,
                                         .dtype = dy->dtype};
    return prepare(context, &problem, state, workspace_bytes, err);
}

void cpu_token_linear_refresh(const struct kernel_args *args) {
    parallel_set_threads(args->context->device->threads);
    dnn_linear_refresh(args->state, args->context->device, args->in[1]);
}

static void run(const struct kernel_args *args, const struct dnn_pointers *pointers) {
    parallel_set_threads(args->context->device->threads);
    dnn_linear_run(args->state, pointers);
}

/* The residual is added to what y holds; where y did not take over its place, it is copied. */
void cpu_token_linear(const struct kernel_args *args) {
    if (args->in[3] && args->in[3] != args->out[0])
        cpu_copy_tokens(args, 3);
    struct dnn_pointers pointers = {.x = args->in[0],
                                    .y = args->out[0],
                                    .weight = args->in[1],
                                    .bias = args->in[2],
                                    .workspace = args->workspace};
    run(args, &pointers);
}

void cpu_token_linear_dx(const struct kernel_args *args) {
    struct dnn_pointers pointers = {
        .x = args->out[0], .y = args->in[0], .weight = args->in[1], .workspace = args->workspace};
    run(args, &pointers);
}

void cpu_token_linear_dw(const struct kernel_args *args) {
    struct dnn_pointers pointers = {
        .x = args->in[1], .y = args->in[0], .weight = args->out[0], .workspace = args->workspace};
    run(args, &pointers);
    cpu_token_sums(args, args->out[1]);
}

void cpu_token_linear_release(void *state) {
    dnn_linear_free(state);
}
