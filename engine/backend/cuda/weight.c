#include "engine/backend/cuda/weight.h"

enum { ALIGNMENT = 256 };

size_t weight_aligned(size_t bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

size_t weight_lay_out(struct weight *weight, struct shape shape, int channels, bool bias,
                      size_t offset) {
    size_t taps = (size_t)shape.n * (size_t)shape.h * (size_t)shape.w;
    weight->offset = offset;
    weight->channels = channels;
    weight->bytes = weight_aligned(taps * (size_t)channels * sizeof(uint16_t));
    weight->bias_bytes = bias ? weight_aligned((size_t)shape.n * sizeof(uint16_t)) : 0;
    return offset + weight->bytes + weight->bias_bytes;
}

void copy_channels(const struct kernel_args *args, struct array from, int from_channels,
                   struct array to, int to_channels, uint32_t pixels) {
    int count = from_channels < to_channels ? from_channels : to_channels;
    launch_channels(queue_of(args), &(struct channels_args){.x = from,
                                                            .y = to,
                                                            .pixels = pixels,
                                                            .x_channels = from_channels,
                                                            .y_channels = to_channels,
                                                            .count = count,
                                                            .fill = to_channels - count,
                                                            .groups = 1});
}

static void convert(const struct weight *weight, const struct kernel_args *args, void *to) {
    struct shape shape = context_in(args->context, 1)->shape;
    copy_channels(args, array_in(args, 1), shape.c, (struct array){to, true}, weight->channels,
                  (uint32_t)(shape.n * shape.h * shape.w));
    if (weight->bias_bytes)
        launch_convert(queue_of(args), array_in(args, 2),
                       (struct array){(char *)to + weight->bytes, true}, (uint32_t)shape.n);
}

void weight_refresh(struct weight *weight, const struct kernel_args *args) {
    struct device *device = args->context->device;
    size_t bytes = weight->bytes + weight->bias_bytes;
    if (!weight->bytes)
        return;
    if (!weight->kept && device->backend->alloc(device, &weight->kept, bytes, "converted weights",
                                                NULL) != STATUS_OK)
        weight->kept = NULL;
    if (weight->kept)
        convert(weight, args, weight->kept);
}

void weight_operands(const struct weight *weight, const struct kernel_args *args, void **out,
                     void **bias) {
    *out = args->in[1];
    *bias = args->in[2];
    if (!weight->bytes)
        return;
    *out = weight->kept ? weight->kept : (char *)args->workspace + weight->offset;
    if (weight->bias_bytes)
        *bias = (char *)*out + weight->bytes;
    if (!weight->kept)
        convert(weight, args, *out);
}

void weight_release(struct weight *weight, struct device *device) {
    if (weight->kept)
        device->backend->free(device, weight->kept);
    weight->kept = NULL;
}
