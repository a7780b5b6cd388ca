#include "engine/backend/ref/ref_internal.h"

#include <string.h>

/* Copies count channels of each pixel; from and to begin at the first one. */
static void copy_channels(struct shape from_shape, const float *from, struct shape to_shape,
                          float *to, int count) {
    int64_t pixels = shape_elements(from_shape) / from_shape.c;
    for (int64_t i = 0; i < pixels; i++, from += from_shape.c, to += to_shape.c)
        memcpy(to, from, (size_t)count * sizeof *to);
}

void ref_concat(const struct kernel_args *args) {
    struct shape a = context_in(args->context, 0)->shape, b = context_in(args->context, 1)->shape;
    struct shape y = context_out(args->context, 0)->shape;
    float *to = args->out[0];
    copy_channels(a, args->in[0], y, to, a.c);
    copy_channels(b, args->in[1], y, to + a.c, b.c);
}

void ref_split(const struct kernel_args *args) {
    struct shape a = context_out(args->context, 0)->shape, b = context_out(args->context, 1)->shape;
    struct shape x = context_in(args->context, 0)->shape;
    const float *from = args->in[0];
    copy_channels(x, from, a, args->out[0], a.c);
    copy_channels(x, from + a.c, b, args->out[1], b.c);
}

void ref_channel_shuffle(const struct kernel_args *args) {
    struct shape shape = context_in(args->context, 0)->shape;
    int64_t pixels = shape_elements(shape) / shape.c;
    int groups = args->context->op->attr.channel.groups, each = shape.c / groups;
    const float *x = args->in[0];
    float *y = args->out[0];
    for (int64_t i = 0; i < pixels; i++, x += shape.c)
        for (int j = 0; j < each; j++)
            for (int group = 0; group < groups; group++)
                *y++ = x[group * each + j];
}
