#include "engine/data/input.h"

size_t input_bytes(const struct input *input) {
    return (size_t)input->height * (size_t)input->width * (size_t)input->channels;
}

enum status input_take(const struct input *input, struct resampler *resampler,
                       const struct picture *picture, uint8_t *out, struct error *err) {
    struct resample how = input->shorter ? resample_center(picture, input->shorter, input->height,
                                                           input->channels, input->filter)
                                         : resample_whole(picture, input->height, input->width,
                                                          input->channels, input->filter);
    return picture_resample(resampler, picture, &how, out, err);
}

enum status input_decode(const struct input *input, const void *bytes, size_t len, uint8_t *out,
                         struct error *err) {
    struct picture picture;
    struct resampler resampler = {.narrow = NULL};
    enum status status = picture_decode(&picture, bytes, len, err);
    if (!status)
        status = input_take(input, &resampler, &picture, out, err);
    resampler_release(&resampler);
    picture_release(&picture);
    return status;
}
