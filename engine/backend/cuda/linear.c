/* Linear layers, of a picture or of every token: products. */
#include "engine/backend/cuda/product.h"
#include "engine/base/mem.h"

static enum product_kind kind_of(const struct kernel_context *context) {
    enum opcode code = context->op->code;
    if (code == OP_LINEAR || code == OP_TOKEN_LINEAR)
        return PRODUCT_Y;
    return code == OP_LINEAR_DX || code == OP_TOKEN_LINEAR_DX ? PRODUCT_DX : PRODUCT_DW;
}

void cuda_linear_formats(struct kernel_context *context) {
    struct product product = product_of(context, kind_of(context), false);
    cuda_formats(context);
    product_formats(&product, context);
}

enum status cuda_linear_prepare(const struct kernel_context *context, void **state,
                                size_t *workspace_bytes, struct error *err) {
    struct product *product = xmalloc(sizeof *product);
    *product = product_of(context, kind_of(context), false);
    *state = product;
    *workspace_bytes = product->plan ? product->plan->workspace_bytes : 0;
    (void)err;
    return STATUS_OK;
}

void cuda_linear(const struct kernel_args *args) {
    product_run(args->state, args);
}

void cuda_linear_dw(const struct kernel_args *args) {
    product_run(args->state, args);
    launch_channel_sums(queue_of(args), array_in(args, 0),
                        extent_of(context_in(args->context, 0)->shape), args->out[1],
                        args->workspace);
}
