#include "engine/backend/cuda/cuda_internal.h"

/* x [n,c], weight [k,c], y [n,k]; n counts everything in front of the channels, tokens too. */
struct matrices {
    int n, c, k;
};

static struct matrices matrices_of(const struct value *weight, const struct value *y) {
    return (struct matrices){
        .n = (int)extent_of(y->shape).pixels, .c = weight->shape.c, .k = weight->shape.n};
}

void cuda_linear(void *state, const struct kernel_args *args) {
    struct matrices m = matrices_of(context_in(args->context, 1), context_out(args->context, 0));
    struct product_args launch = {.a = array_in(args, 0),
                                  .b = array_in(args, 1),
                                  .c = array_out(args, 0),
                                  .bias = args->in[2],
                                  .rows = m.n,
                                  .columns = m.k,
                                  .inner = m.c,
                                  .a_row = m.c,
                                  .a_inner = 1,
                                  .b_inner = 1,
                                  .b_column = m.c};
    (void)state;
    if (args->context->op->code == OP_TOKEN_LINEAR) {
        launch.gelu = args->context->op->attr.gelu;
        launch.residual = array_in(args, 3);
    }
    launch_product(queue_of(args), &launch);
}

void cuda_linear_dx(void *state, const struct kernel_args *args) {
    struct matrices m = matrices_of(context_in(args->context, 1), context_in(args->context, 0));
    struct product_args launch = {.a = array_in(args, 0),
                                  .b = array_in(args, 1),
                                  .c = array_out(args, 0),
                                  .rows = m.n,
                                  .columns = m.c,
                                  .inner = m.k,
                                  .a_row = m.k,
                                  .a_inner = 1,
                                  .b_inner = m.c,
                                  .b_column = 1};
    (void)state;
    launch_product(queue_of(args), &launch);
}

enum status cuda_linear_dw_prepare(const struct kernel_context *context, void **state,
                                   size_t *workspace_bytes, struct error *err) {
    struct extent dy = extent_of(context_in(context, 0)->shape);
    (void)state;
    *workspace_bytes =
        launch_norm_workspace_bytes(&cuda_of(context)->queue, dy, context->in[0] == FORMAT_NATIVE);
    return cuda_prepare(context, NULL, NULL, err);
}

void cuda_linear_dw(void *state, const struct kernel_args *args) {
    struct matrices m = matrices_of(context_out(args->context, 0), context_in(args->context, 0));
    struct product_args launch = {.a = array_in(args, 0),
                                  .b = array_in(args, 1),
                                  .c = array_out(args, 0),
                                  .rows = m.k,
                                  .columns = m.c,
                                  .inner = m.n,
                                  .a_row = 1,
                                  .a_inner = m.k,
                                  .b_inner = m.c,
                                  .b_column = 1};
    (void)state;
    launch_product(queue_of(args), &launch);
    launch_channel_sums(queue_of(args), array_in(args, 0),
                        extent_of(context_in(args->context, 0)->shape), args->out[1],
                        args->workspace);
}
