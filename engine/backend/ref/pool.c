#include "engine/backend/ref/ref_internal.h"

#include <string.h>

enum status ref_global_pool_prepare(const struct kernel_context *context, void **state,
                                    size_t *workspace_bytes, struct error *err) {
    (void)state;
    (void)err;
    *workspace_bytes = (size_t)context_in(context, 0)->shape.c * sizeof(double);
    return STATUS_OK;
}

void ref_global_pool(void *state, const struct kernel_args *args) {
    struct shape shape = context_in(args->context, 0)->shape;
    const float *x = args->in[0];
    float *y = args->out[0];
    double *sum = args->workspace;
    int plane = shape.h * shape.w;
    (void)state;
    for (int n = 0; n < shape.n; n++) {
        memset(sum, 0, (size_t)shape.c * sizeof *sum);
        for (int i = 0; i < plane; i++)
            for (int c = 0; c < shape.c; c++)
                sum[c] += *x++;
        for (int c = 0; c < shape.c; c++)
            *y++ = (float)(sum[c] / plane);
    }
}

void ref_global_pool_bwd(void *state, const struct kernel_args *args) {
    struct shape shape = context_out(args->context, 0)->shape;
    const float *dy = args->in[0];
    float *dx = args->out[0];
    int plane = shape.h * shape.w;
    (void)state;
    for (int n = 0; n < shape.n; n++, dy += shape.c)
        for (int i = 0; i < plane; i++)
            for (int c = 0; c < shape.c; c++)
                *dx++ = (float)((double)dy[c] / plane);
}
