/* What a network takes: resizing gives PIL's pixels: tests/golden/resize holds them. */
#include "engine/data/input.h"

#include "engine/base/safetensors.h"
#include "engine/base/str.h"
#include "tests/support/t.h"

static enum status fit(const struct picture *picture, const int size[3], uint8_t *out,
                       struct error *err) {
    struct input input = {size[0], size[1], size[2], 0, RESAMPLE_BILINEAR};
    struct resampler resampler = {.narrow = NULL};
    enum status status = input_take(&input, &resampler, picture, out, err);
    resampler_release(&resampler);
    return status;
}

/* The header allows one grey level; what is reached is none. */
static void check_case(const struct safetensors *file, const struct tensor *in) {
    char name[64];
    int stem = (int)(strrchr(in->name, '.') - in->name);
    CHECK(snprintf(name, sizeof name, "%.*s.out", stem, in->name) < (int)sizeof name);
    const struct tensor *out = safetensors_find(file, name);
    struct picture picture = {(int)in->dim[0], (int)in->dim[1], (int)in->dim[2],
                              xmalloc(in->bytes)};
    memcpy(picture.pixels, in->data, in->bytes);
    uint8_t *fitted = xmalloc(out->bytes);
    int size[3] = {(int)out->dim[0], (int)out->dim[1], (int)out->dim[2]};
    T_INT(fit(&picture, size, fitted, NULL), STATUS_OK);
    for (size_t i = 0; i < out->bytes; i++)
        if (fitted[i] != ((const uint8_t *)out->data)[i]) {
            T_FAIL("%s: byte %zu is %d, expected %d", name, i, fitted[i],
                   ((const uint8_t *)out->data)[i]);
            break;
        }
    free(fitted);
    free(picture.pixels);
}

static void test_golden(void) {
    struct safetensors file = {0};
    int cases = 0;
    CHECK(safetensors_open(&file, "tests/golden/resize/resize.safetensors", NULL) == STATUS_OK);
    for (size_t i = 0; i < file.count; i++)
        if (str_has_suffix(file.tensors[i].name, ".in")) {
            check_case(&file, &file.tensors[i]);
            cases++;
        }
    T_INT(cases, 14);
    safetensors_close(&file);
}

static void test_constant_stays(void) {
    uint8_t pixels[11 * 13], out[29 * 5];
    struct picture picture = {11, 13, 1, pixels};
    memset(pixels, 255, sizeof pixels);
    T_INT(fit(&picture, (const int[]){29, 5, 1}, out, NULL), STATUS_OK);
    for (size_t i = 0; i < sizeof out; i++)
        T_INT(out[i], 255);
}

static void test_refused(void) {
    uint8_t pixel[3] = {0}, out[12];
    struct picture picture = {1, 1, 3, pixel};
    static const int sizes[][3] = {{0, 2, 3}, {2, 0, 3}, {-1, 2, 1}, {2, 2, 2}, {16385, 1, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct error err = {0};
        T_INT(fit(&picture, sizes[i], out, &err), STATUS_INVALID);
        T_CONTAINS(err.message, "a picture cannot be made");
    }
}

/* A picture that is far too long for its width has a middle all the same. */
static void test_long(void) {
    struct picture picture = {1, PICTURE_MAX_SIDE, 1, xcalloc(PICTURE_MAX_SIDE, 1)};
    struct input input = {224, 224, 3, 256, RESAMPLE_BICUBIC};
    struct resampler resampler = {.narrow = NULL};
    uint8_t *out = xcalloc(input_bytes(&input), 1);
    picture.pixels[PICTURE_MAX_SIDE / 2] = 255;
    T_INT(input_take(&input, &resampler, &picture, out, NULL), STATUS_OK);
    T_CHECK(out[(100 * 224 + 223) * 3] > 230 && out[100 * 224 * 3] < 40);
    resampler_release(&resampler);
    free(picture.pixels);
    free(out);
}

int main(void) {
    T_RUN(test_golden);
    T_RUN(test_constant_stays);
    T_RUN(test_refused);
    T_RUN(test_long);
    return t_done();
}
