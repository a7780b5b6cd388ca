#include "engine/spec/train_input.h"

int train_input_shorter(int image_size) {
    return (image_size * 256 + 112) / 224;
}

enum status train_input_of(struct train_input *input, const struct train_spec *spec, int height,
                           int width, struct error *err) {
    int size = spec->image_size ? (int)spec->image_size : IMAGE_SIZE_DEFAULT;
    bool as_is = height > 0 && (!spec->image_size || (height == size && width == size));
    *input = (struct train_input){height, width, 0};
    if (as_is && spec->resize_size)
        return error_set_field(err, STATUS_INVALID, "resize_size",
                               "resize_size is for pictures that are resized; the data set's are "
                               "taken as they are, %dx%d",
                               height, width);
    if (as_is)
        return STATUS_OK;
    int shorter = spec->resize_size ? (int)spec->resize_size : train_input_shorter(size);
    if (shorter < size)
        return error_set_field(err, STATUS_INVALID, "resize_size",
                               "resize_size must be at least image_size, %d, not %d", size,
                               shorter);
    *input = (struct train_input){size, size, shorter};
    return STATUS_OK;
}

enum status train_input_check_channels(const struct train_spec *spec, int channels,
                                       struct error *err) {
    const char *field = spec->image_size     ? "image_size"
                        : spec->rand_augment ? "rand_augment"
                        : spec->erase > 0    ? "erase"
                                             : NULL;
    if (!field || channels == 1 || channels == 3)
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, field,
                           "%s is for pictures of 1 or 3 channels, the data set's have %d", field,
                           channels);
}
