/* Resizing gives PIL's pixels: tests/golden/resize holds them. */
#include "engine/data/picture.h"

#include "engine/base/safetensors.h"
#include "engine/base/str.h"
#include "tests/support/t.h"

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
    T_INT(picture_fit(&picture, (int)out->dim[0], (int)out->dim[1], (int)out->dim[2], fitted, NULL),
          STATUS_OK);
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
    T_INT(picture_fit(&picture, 29, 5, 1, out, NULL), STATUS_OK);
    for (size_t i = 0; i < sizeof out; i++)
        T_INT(out[i], 255);
}

static void test_refused(void) {
    uint8_t pixel[3] = {0}, out[12];
    struct picture picture = {1, 1, 3, pixel};
    static const int sizes[][3] = {{0, 2, 3}, {2, 0, 3}, {-1, 2, 1}, {2, 2, 2}, {16385, 1, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct error err = {0};
        T_INT(picture_fit(&picture, sizes[i][0], sizes[i][1], sizes[i][2], out, &err),
              STATUS_INVALID);
        T_CONTAINS(err.message, "a picture cannot be made");
    }
}

int main(void) {
    T_RUN(test_golden);
    T_RUN(test_constant_stays);
    T_RUN(test_refused);
    return t_done();
}
