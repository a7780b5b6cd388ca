#include "engine/backend/ref/ref_internal.h"

void ref_add(void *state, const struct kernel_args *args) {
    int64_t count = shape_elements(context_out(args->context, 0)->shape);
    const float *a = args->in[0], *b = args->in[1];
    float *y = args->out[0];
    (void)state;
    for (int64_t i = 0; i < count; i++)
        y[i] = (float)((double)a[i] + b[i]);
}
