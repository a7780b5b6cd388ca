#include "engine/backend/cuda/cuda_internal.h"

#include <string.h>

/* --- pictures --- */

void cuda_normalize(const struct kernel_args *args) {
    const struct normalize_attr *attr = &args->context->op->attr.normalize;
    struct normalize_args launch = {.x = args->in[0],
                                    .y = array_out(args, 0),
                                    .extent = extent_of(context_out(args->context, 0)->shape)};
    memcpy(launch.mean, attr->mean, sizeof launch.mean);
    memcpy(launch.deviation, attr->deviation, sizeof launch.deviation);
    launch_normalize(queue_of(args), &launch);
}

void cuda_augment(const struct kernel_args *args) {
    const struct augment_attr *attr = &args->context->op->attr.augment;
    struct shape shape = context_out(args->context, 0)->shape;
    launch_augment(queue_of(args), &(struct augment_args){.x = args->in[0],
                                                          .index = args->in[1],
                                                          .y = args->out[0],
                                                          .step = cuda_of(args->context)->step,
                                                          .n = shape.n,
                                                          .h = shape.h,
                                                          .w = shape.w,
                                                          .c = shape.c,
                                                          .padding = attr->padding,
                                                          .flip = attr->flip});
}

/* --- maps --- */

void cuda_scale_act(const struct kernel_args *args) {
    struct map_args launch = {.x = array_in(args, 0),
                              .y = array_out(args, 0),
                              .scale = args->in[1],
                              .shift = args->in[2],
                              .extent = extent_of(context_in(args->context, 0)->shape),
                              .act = (enum launch_act)args->context->op->attr.norm.act};
    launch_scale_act(queue_of(args), &launch);
}

void cuda_add(const struct kernel_args *args) {
    struct map_args launch = {.x = array_in(args, 0),
                              .b = array_in(args, 1),
                              .y = array_out(args, 0),
                              .extent = extent_of(context_out(args->context, 0)->shape)};
    launch_add(queue_of(args), &launch);
}

/* --- reorders --- */

static struct reorder reorder_of(const struct kernel_args *args) {
    const struct kernel_context *context = args->context;
    const struct value *value = context_in(context, 0);
    return (struct reorder){.x = array_in(args, 0),
                            .y = array_out(args, 0),
                            .rows = extent_of(value->shape).pixels,
                            .x_channels = cuda_channels(value, context->in[0]),
                            .y_channels = cuda_channels(value, context->out[0])};
}

void cuda_reorder(const struct kernel_args *args) {
    struct reorder reorder = reorder_of(args);
    launch_reorders(queue_of(args), &reorder, 1);
}

void cuda_reorders(const struct kernel_args *const *args, int count) {
    struct reorder reorders[KERNEL_CALLS];
    _Static_assert((int)KERNEL_CALLS <= (int)LAUNCH_TOGETHER, "one launch");
    for (int i = 0; i < count; i++)
        reorders[i] = reorder_of(args[i]);
    launch_reorders(queue_of(args[0]), reorders, count);
}

/* --- channels --- */

void cuda_concat(const struct kernel_args *args) {
    struct shape y = context_out(args->context, 0)->shape;
    int first = 0;
    for (int i = 0; i < 2; i++) {
        int channels = context_in(args->context, i)->shape.c;
        launch_channels(queue_of(args), &(struct channels_args){.x = array_in(args, i),
                                                                .y = array_out(args, 0),
                                                                .pixels = extent_of(y).pixels,
                                                                .x_channels = channels,
                                                                .y_channels = y.c,
                                                                .first_y = first,
                                                                .count = channels,
                                                                .groups = 1});
        first += channels;
    }
}

void cuda_split(const struct kernel_args *args) {
    struct shape x = context_in(args->context, 0)->shape;
    int first = 0;
    for (int i = 0; i < 2; i++) {
        int channels = context_out(args->context, i)->shape.c;
        launch_channels(queue_of(args), &(struct channels_args){.x = array_in(args, 0),
                                                                .y = array_out(args, i),
                                                                .pixels = extent_of(x).pixels,
                                                                .x_channels = x.c,
                                                                .y_channels = channels,
                                                                .first_x = first,
                                                                .count = channels,
                                                                .groups = 1});
        first += channels;
    }
}

void cuda_channel_shuffle(const struct kernel_args *args) {
    struct shape x = context_in(args->context, 0)->shape;
    struct channels_args launch = {.x = array_in(args, 0),
                                   .y = array_out(args, 0),
                                   .pixels = extent_of(x).pixels,
                                   .x_channels = x.c,
                                   .y_channels = x.c,
                                   .count = x.c,
                                   .groups = args->context->op->attr.channel.groups};
    launch_channels(queue_of(args), &launch);
}
