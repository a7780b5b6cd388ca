/* Cutting and resizing gives PIL's pixels: tests/golden/resize/crops.safetensors holds them. */
#include "engine/data/resample.h"

#include "engine/base/safetensors.h"
#include "engine/base/str.h"
#include "tests/support/t.h"

static struct resampler resampler; /* one for all cases, as in a loader */

static const struct tensor *part_of(const struct safetensors *file, const char *name, int stem,
                                    const char *part) {
    char full[64];
    CHECK(snprintf(full, sizeof full, "%.*s.%s", stem, name, part) < (int)sizeof full);
    return safetensors_find(file, full);
}

static struct resample read_how(const struct tensor *how, int channels) {
    int32_t n[11];
    memcpy(n, how->data, sizeof n);
    return (struct resample){.filter = n[0] ? RESAMPLE_BICUBIC : RESAMPLE_BILINEAR,
                             .crop = {n[1], n[2], n[3], n[4]},
                             .height = n[5],
                             .width = n[6],
                             .window = {n[7], n[8], n[9], n[10]},
                             .channels = channels};
}

/* One grey level is allowed; what is reached is none. */
static void check_case(const struct safetensors *file, const struct tensor *in) {
    int stem = (int)(strrchr(in->name, '.') - in->name);
    const struct tensor *out = part_of(file, in->name, stem, "out");
    struct resample how = read_how(part_of(file, in->name, stem, "how"), (int)out->dim[2]);
    struct picture picture = {(int)in->dim[0], (int)in->dim[1], (int)in->dim[2],
                              xmalloc(in->bytes)};
    memcpy(picture.pixels, in->data, in->bytes);
    uint8_t *pixels = xmalloc(out->bytes);
    T_INT(picture_resample(&resampler, &picture, &how, pixels, NULL), STATUS_OK);
    for (size_t i = 0; i < out->bytes; i++)
        if (pixels[i] != ((const uint8_t *)out->data)[i]) {
            T_FAIL("%.*s: byte %zu is %d, expected %d", stem, in->name, i, pixels[i],
                   ((const uint8_t *)out->data)[i]);
            break;
        }
    free(pixels);
    free(picture.pixels);
}

static void test_golden(void) {
    struct safetensors file = {0};
    int cases = 0;
    CHECK(safetensors_open(&file, "tests/golden/resize/crops.safetensors", NULL) == STATUS_OK);
    for (size_t i = 0; i < file.count; i++)
        if (str_has_suffix(file.tensors[i].name, ".in")) {
            check_case(&file, &file.tensors[i]);
            cases++;
        }
    T_INT(cases, 13);
    safetensors_close(&file);
}

static void test_extremes_are_clipped(void) {
    uint8_t pixels[8], out[64];
    struct picture picture = {1, 8, 1, pixels};
    for (int i = 0; i < 8; i++)
        pixels[i] = i < 4 ? 0 : 255; /* a bicubic overshoots beside such an edge */
    struct resample wide = resample_whole(&picture, 1, 64, 1, RESAMPLE_BICUBIC);
    T_INT(picture_resample(&resampler, &picture, &wide, out, NULL), STATUS_OK);
    for (int i = 1; i < 64; i++)
        T_CHECK(i < 32 ? out[i] < 128 : out[i] > 127);
}

/* torchvision's Resize(256) and CenterCrop(224): sizes and places worked out by hand. */
static void test_center(void) {
    static const struct {
        int height, width, resized_height, resized_width, top, left;
    } cases[] = {
        {375, 500, 256, 341, 16, 58}, /* (341 - 224) / 2 = 58.5: to the even side */
        {500, 375, 341, 256, 58, 16},
        {256, 256, 256, 256, 16, 16},
        {100, 103, 256, 263, 16, 20}, /* 263.68 is rounded down; 19.5 becomes 20 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct picture picture = {cases[i].height, cases[i].width, 3, NULL};
        struct resample center = resample_center(&picture, 256, 224, 3, RESAMPLE_BILINEAR);
        T_INT(center.height, cases[i].resized_height);
        T_INT(center.width, cases[i].resized_width);
        T_INT(center.window.top, cases[i].top);
        T_INT(center.window.left, cases[i].left);
        T_INT(center.window.height, 224);
        T_INT(center.window.width, 224);
    }
}

static void test_refused(void) {
    uint8_t pixels[12] = {0}, out[12];
    struct picture picture = {2, 2, 3, pixels};
    static const struct {
        struct resample resample;
        const char *says;
    } cases[] = {
        {{0, {1, 0, 2, 1}, 2, 2, {0, 0, 2, 2}, 3}, "2x1 at 1,0 cannot be cut from a 2x2 picture"},
        {{0, {0, -1, 1, 1}, 2, 2, {0, 0, 2, 2}, 3}, "1x1 at 0,-1 cannot be cut from a 2x2"},
        {{0, {0, 0, 0, 2}, 2, 2, {0, 0, 2, 2}, 3}, "0x2 at 0,0 cannot be cut"},
        {{0, {0, 0, 2, 2}, 2, 2, {0, 1, 2, 2}, 3}, "2x2 at 0,1 cannot be cut from 2x2 pixels"},
        {{0, {0, 0, 2, 2}, 0, 2, {0, 0, 2, 2}, 3}, "a picture cannot be made 0x2x3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        T_INT(picture_resample(&resampler, &picture, &cases[i].resample, out, &err),
              STATUS_INVALID);
        T_CONTAINS(err.message, cases[i].says);
    }
}

/* A loader allocates nothing for a picture that is not larger than those before. */
static void test_memory_is_kept(void) {
    uint8_t pixels[20 * 20 * 3] = {0}, out[16 * 16 * 3];
    struct picture picture = {20, 20, 3, pixels};
    struct resample part = resample_crop((struct box){0, 0, 20, 20}, 16, 3, RESAMPLE_BICUBIC);
    T_INT(picture_resample(&resampler, &picture, &part, out, NULL), STATUS_OK);
    uint64_t before = mem_allocations();
    part = resample_crop((struct box){3, 4, 15, 13}, 16, 3, RESAMPLE_BICUBIC);
    T_INT(picture_resample(&resampler, &picture, &part, out, NULL), STATUS_OK);
    T_INT(mem_allocations() - before, 0);
}

int main(void) {
    T_RUN(test_golden);
    T_RUN(test_extremes_are_clipped);
    T_RUN(test_center);
    T_RUN(test_refused);
    T_RUN(test_memory_is_kept);
    resampler_release(&resampler);
    return t_done();
}
