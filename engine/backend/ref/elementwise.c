#include "engine/backend/ref/ref_internal.h"

void ref_add(const struct kernel_args *args) {
    int64_t count = shape_elements(context_out(args->context, 0)->shape);
    const float *a = args->in[0], *b = args->in[1];
    float *y = args->out[0];
    for (int64_t i = 0; i < count; i++)
        y[i] = (float)((double)a[i] + b[i]);
}

void ref_scale_act(const struct kernel_args *args) {
    struct shape shape = context_in(args->context, 0)->shape;
    int64_t pixels = shape_elements(shape) / shape.c;
    const float *x = args->in[0], *scale = args->in[1], *shift = args->in[2];
    enum activation act = args->context->op->attr.norm.act;
    float *y = args->out[0];
    for (int64_t i = 0; i < pixels; i++)
        for (int c = 0; c < shape.c; c++)
            *y++ = (float)ref_activate(act, (double)*x++ * scale[c] + shift[c]);
}
