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

enum status cpu_token_linear_prepare(const struct kernel_context *context, void **state,
                                     size_t *workspace_bytes, struct error *err) {
    const struct cpu_role *role = cpu_role_of(context);
    const struct op *op = context->op;
    const struct value *rows = context_in(context, 0); /* x or dy */
    struct shape weight = cpu_operand(context, role->weight)->shape;
    bool forward = role->direction == DNN_FORWARD;
    struct dnn_linear_problem problem = {.direction = role->direction,
                                         .rows = rows_of(rows),
                                         .inputs = weight.c,
                                         .outputs = weight.n,
                                         .dtype = rows->dtype,
                                         .gelu = forward && op->attr.gelu,
                                         .residual = op->in[3] != NO_VALUE,
                                         .constant_weight =
                                             forward && program_keeps(context->program, op->in[1])};
    struct dnn_linear *linear;
    parallel_set_threads(context->device->threads);
    enum status status = dnn_linear_create(&linear, cpu_of(context)->dnn, &problem, err);
    if (status)
        return status;
    *state = linear;
    *workspace_bytes = dnn_linear_workspace_bytes(linear);
    return STATUS_OK;
}

void cpu_token_linear_refresh(const struct kernel_args *args) {
    parallel_set_threads(args->context->device->threads);
    dnn_linear_refresh(args->state, args->context->device, args->in[1]);
}

/* The residual is added to what y holds; where y did not take over its place, it is copied. */
void cpu_token_linear(const struct kernel_args *args) {
    struct dnn_pointers pointers = cpu_dnn_pointers(args);
    if (args->in[3] && args->in[3] != args->out[0])
        cpu_copy_tokens(args, 3);
    parallel_set_threads(args->context->device->threads);
    dnn_linear_run(args->state, &pointers);
}

void cpu_token_linear_dw(const struct kernel_args *args) {
    cpu_token_linear(args);
    cpu_token_sums(args, args->out[1]);
}

void cpu_token_linear_release(void *state) {
    dnn_linear_free(state);
}
