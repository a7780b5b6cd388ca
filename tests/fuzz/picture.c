/* picture_decode: any bytes; what it accepts is within its limits and fits any input size. */
#include "tests/fuzz/fuzz.h"

#include "engine/data/input.h"

static void check_taken(const struct picture *picture) {
    static const struct input inputs[] = {
        {9, 7, 3, 0, RESAMPLE_BILINEAR}, {9, 7, 1, 0, RESAMPLE_BICUBIC}, {8, 8, 3, 9, 0}};
    struct resampler resampler = {.narrow = NULL};
    uint8_t out[8 * 8 * 3];
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        CHECK(input_take(&inputs[i], &resampler, picture, out, NULL) == STATUS_OK);
    resampler_release(&resampler);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct picture picture;
    struct error err = {0};
    if (picture_decode(&picture, bytes, len, &err) != STATUS_OK) {
        CHECK(err.message[0] && !picture.pixels);
        return 0;
    }
    CHECK(picture.channels == 1 || picture.channels == 3);
    CHECK(picture.height >= 1 && picture.height <= PICTURE_MAX_SIDE);
    CHECK(picture.width >= 1 && picture.width <= PICTURE_MAX_SIDE);
    CHECK((int64_t)picture.height * picture.width <= PICTURE_MAX_PIXELS);
    check_taken(&picture);
    picture_release(&picture);
    return 0;
}
