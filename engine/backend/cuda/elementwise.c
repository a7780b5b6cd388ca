#include "engine/backend/cuda/cuda_internal.h"

#include <string.h>

/* --- pictures --- */

void cuda_normalize(void *state, const struct kernel_args *args) {
    const struct normalize_attr *attr = &args->context->op->attr.normalize;
    struct normalize_args launch = {.x = args->in[0],
                                    .y = array_out(args, 0),
                                    .extent = extent_of(context_out(args->context, 0)->shape)};
    (void)state;
    memcpy(launch.mean, attr->mean, sizeof launch.mean);
    memcpy(launch.deviation, attr->deviation, sizeof launch.deviation);
    launch_normalize(queue_of(args), &launch);
}

void cuda_augment(void *state, const struct kernel_args *args) {
    const struct augment_attr *attr = &args->context->op->attr.augment;
    struct shape shape = context_out(args->context, 0)->shape;
    (void)state;
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

void cuda_scale_act(void *state, const struct kernel_args *args) {
    struct map_args launch = {.x = array_in(args, 0),
                              .y = array_out(args, 0),
                              .scale = args->in[1],
                              .shift = args->in[2],
                              .extent = extent_of(context_in(args->context, 0)->shape),
                              .act = (enum launch_act)args->context->op->attr.norm.act};
    (void)state;
    launch_scale_act(queue_of(args), &launch);
}

void cuda_add(void *state, const struct kernel_args *args) {
    struct map_args launch = {.x = array_in(args, 0),
                              .b = array_in(args, 1),
                              .y = array_out(args, 0),
                              .extent = extent_of(context_out(args->context, 0)->shape)};
    (void)state;
    launch_add(queue_of(args), &launch);
}

/* In PLAIN bf16 values are f32, so a reorder is a conversion. */
void cuda_reorder(void *state, const struct kernel_args *args) {
    const struct value *value = context_in(args->context, 0);
    (void)state;
    launch_convert(queue_of(args), array_in(args, 0), array_out(args, 0),
                   (uint32_t)shape_elements(value->shape));
}

/* --- channels --- */

void cuda_concat(void *state, const struct kernel_args *args) {
    struct shape y = context_out(args->context, 0)->shape;
    int first = 0;
    (void)state;
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

void cuda_split(void *state, const struct kernel_args *args) {
    struct shape x = context_in(args->context, 0)->shape;
    int first = 0;
    (void)state;
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

void cuda_channel_shuffle(void *state, const struct kernel_args *args) {
    struct shape x = context_in(args->context, 0)->shape;
    struct channels_args launch = {.x = array_in(args, 0),
                                   .y = array_out(args, 0),
                                   .pixels = extent_of(x).pixels,
                                   .x_channels = x.c,
                                   .y_channels = x.c,
                                   .count = x.c,
                                   .groups = args->context->op->attr.channel.groups};
    (void)state;
    launch_channels(queue_of(args), &launch);
}
