/* Linear layers, of a picture or of every token: products that keep what they need in their state.
 */
#include "engine/backend/cuda/product.h"
#include "engine/base/mem.h"

#include <stdlib.h>

struct linear_state {
    struct device *device;
    struct product product;
};

static enum status prepare(const struct kernel_context *context, enum product_kind kind,
                           void **state, size_t *workspace_bytes, struct error *err) {
    struct linear_state *linear = xcalloc(1, sizeof *linear);
    *state = linear;
    linear->device = context->device;
    *workspace_bytes = product_prepare(&linear->product, context, kind, false);
    return cuda_prepare(context, NULL, NULL, err);
}

enum status cuda_linear_prepare(const struct kernel_context *context, void **state,
                                size_t *workspace_bytes, struct error *err) {
    return prepare(context, PRODUCT_Y, state, workspace_bytes, err);
}

enum status cuda_linear_dx_prepare(const struct kernel_context *context, void **state,
                                   size_t *workspace_bytes, struct error *err) {
    return prepare(context, PRODUCT_DX, state, workspace_bytes, err);
}

enum status cuda_linear_dw_prepare(const struct kernel_context *context, void **state,
                                   size_t *workspace_bytes, struct error *err) {
    enum status status = prepare(context, PRODUCT_DW, state, workspace_bytes, err);
    size_t sums = launch_norm_workspace_bytes(&cuda_of(context)->queue,
                                              extent_of(context_in(context, 0)->shape),
                                              context->in[0] == FORMAT_NATIVE);
    if (sums > *workspace_bytes)
        *workspace_bytes = sums;
    return status;
}

void cuda_linear_refresh(void *state, const struct kernel_args *args) {
    struct linear_state *linear = state;
    weight_refresh(&linear->product.weight, args);
}

void cuda_linear_release(void *state) {
    struct linear_state *linear = state;
    product_release(&linear->product, linear->device);
    free(linear);
}

void cuda_linear(void *state, const struct kernel_args *args) {
    const struct linear_state *linear = state;
    product_run(&linear->product, args);
}

void cuda_linear_dw(void *state, const struct kernel_args *args) {
    cuda_linear(state, args);
    launch_channel_sums(queue_of(args), array_in(args, 0),
                        extent_of(context_in(args->context, 0)->shape), args->out[1],
                        args->workspace);
}
