/* picture_decode: any bytes; what it accepts is within its limits, fits any input size, and is the
 * same again after it has been written as PNG. */
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

#include "engine/data/input.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_WRITTEN = 1 << 14 }; /* pixels: enough for every kind of file, and quick */

static void check_taken(const struct picture *picture) {
    static const struct input inputs[] = {
        {9, 7, 3, 0, RESAMPLE_BILINEAR}, {9, 7, 1, 0, RESAMPLE_BICUBIC}, {8, 8, 3, 9, 0}};
    struct resampler resampler = {.narrow = NULL};
    uint8_t out[8 * 8 * 3];
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        CHECK(input_take(&inputs[i], &resampler, picture, out, NULL) == STATUS_OK);
    resampler_release(&resampler);
}

static void check_written(const struct picture *picture) {
    size_t pixels = (size_t)picture->height * (size_t)picture->width, len, file_len;
    char path[FILE_PATH_BYTES], *file;
    struct picture read;
    void *bytes;
    if (pixels > MOST_WRITTEN)
        return;
    CHECK(picture_encode_png(picture, &bytes, &len, NULL) == STATUS_OK);
    CHECK(picture_decode(&read, bytes, len, NULL) == STATUS_OK);
    CHECK(read.height == picture->height && read.width == picture->width);
    CHECK(read.channels == picture->channels);
    CHECK(memcmp(read.pixels, picture->pixels, pixels * (size_t)read.channels) == 0);
    folder_empty();
    folder_path(path, "picture.png");
    CHECK(picture_write_png(picture, path, NULL) == STATUS_OK);
    CHECK(file_read(path, len, &file, &file_len, NULL) == STATUS_OK);
    CHECK(file_len == len && memcmp(file, bytes, len) == 0);
    picture_release(&read);
    free(file);
    free(bytes);
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
    check_written(&picture);
    picture_release(&picture);
    return 0;
}
