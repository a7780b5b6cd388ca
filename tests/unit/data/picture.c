/* Every kind of JPEG and PNG decodes to what PIL makes of it; broken ones are errors. */
#include "engine/data/picture.h"

#include "engine/base/rng.h"
#include "engine/base/safetensors.h"
#include "tests/unit/data/fixture.h"

#define GOLDEN "tests/golden/pictures/"

static const char *root;

static char *load(const char *name, size_t *len) {
    char path[FILE_PATH_BYTES], *data;
    CHECK(file_join(path, GOLDEN, name, NULL) == STATUS_OK);
    CHECK(file_read(path, 1 << 20, &data, len, NULL) == STATUS_OK);
    return data;
}

static int largest_difference(const uint8_t *a, const uint8_t *b, size_t bytes) {
    int largest = 0;
    for (size_t i = 0; i < bytes; i++)
        if (abs(a[i] - b[i]) > largest)
            largest = abs(a[i] - b[i]);
    return largest;
}

/* JPEG may differ by rounding between versions of the library, PNG not at all. */
static void check_golden(const struct tensor *expected) {
    struct picture picture;
    struct error err = {0};
    size_t len;
    char *data = load(expected->name, &len);
    if (picture_decode(&picture, data, len, &err) != STATUS_OK) {
        T_FAIL("%s: %s", expected->name, err.message);
    } else if (picture_pixels(data, len) % ((int64_t)picture.height * picture.width) != 0 ||
               !picture_pixels(data, len)) {
        T_FAIL("%s: %lld pixels", expected->name, (long long)picture_pixels(data, len));
    } else if (picture.height != expected->dim[0] || picture.width != expected->dim[1] ||
               picture.channels != expected->dim[2]) {
        T_FAIL("%s: %dx%dx%d", expected->name, picture.height, picture.width, picture.channels);
    } else {
        int allowed = str_has_suffix(expected->name, ".jpg") ? 2 : 0;
        int differs = largest_difference(picture.pixels, expected->data, expected->bytes);
        if (differs > allowed)
            T_FAIL("%s: differs by %d", expected->name, differs);
    }
    picture_release(&picture);
    free(data);
}

static void test_golden(void) {
    struct safetensors file = {0};
    CHECK(safetensors_open(&file, GOLDEN "pictures.safetensors", NULL) == STATUS_OK);
    T_INT(file.count, 24);
    for (size_t i = 0; i < file.count; i++)
        check_golden(&file.tensors[i]);
    safetensors_close(&file);
}

/* Copied to memory of exactly that size, so that a sanitizer sees each byte read beyond it. */
static enum status decode_prefix(const char *data, size_t len, struct error *err) {
    struct picture picture;
    char *exact = xmalloc(len);
    memcpy(exact, data, len);
    enum status status = picture_decode(&picture, exact, len, err);
    T_CHECK((status == STATUS_OK) == (picture.pixels != NULL));
    picture_release(&picture);
    free(exact);
    return status;
}

static const char *const kinds[] = {
    "rgb.jpg", "progressive.jpg",         "grey.jpg",       "cmyk.jpg",  "exif6.jpg",
    "rgb.png", "palette_transparent.png", "interlaced.png", "exif6.png", "grey16.png"};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void test_truncated(void) {
    for (int i = 0; i < KINDS; i++) {
        size_t len;
        char *data = load(kinds[i], &len);
        for (size_t cut = 0; cut < len; cut++) {
            struct error err = {0};
            T_INT(decode_prefix(data, cut, &err), STATUS_INVALID);
            T_CHECK(err.message[0] != '\0');
        }
        T_INT(decode_prefix(data, len, NULL), STATUS_OK);
        free(data);
    }
}

/* A camera's few bytes in front of the end marker change nothing. */
static void test_extraneous_bytes(void) {
    size_t len;
    char *data = load("rgb.jpg", &len), *padded = xmalloc(len + 2);
    memcpy(padded, data, len - 2);
    memset(padded + len - 2, 0, 2);
    memcpy(padded + len, data + len - 2, 2);
    struct picture whole, other;
    T_INT(picture_decode(&whole, data, len, NULL), STATUS_OK);
    T_INT(picture_decode(&other, padded, len + 2, NULL), STATUS_OK);
    size_t bytes = (size_t)whole.height * (size_t)whole.width * (size_t)whole.channels;
    T_CHECK(memcmp(whole.pixels, other.pixels, bytes) == 0);
    T_INT(decode_prefix(padded, len, NULL), STATUS_INVALID);
    picture_release(&whole);
    picture_release(&other);
    free(padded);
    free(data);
}

/* Bytes changed at random: any answer is right, as long as there is one. */
static void test_mutated(void) {
    for (uint32_t i = 0; i < KINDS; i++) {
        size_t len;
        char *data = load(kinds[i], &len);
        for (uint32_t round = 0; round < 1500; round++) {
            struct rng_block random = rng_philox(1, i, round, RNG_TEST, 0);
            size_t at = rng_below(random.word[0], (uint32_t)len);
            size_t other = rng_below(random.word[1], (uint32_t)len);
            char held = data[at], other_held = data[other];
            data[at] = (char)random.word[2];
            if (random.word[3] & 1)
                data[other] = (char)(random.word[3] >> 8);
            struct error err = {0};
            enum status status = decode_prefix(data, len, &err);
            T_CHECK(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_TOO_LARGE);
            data[other] = other_held;
            data[at] = held;
        }
        free(data);
    }
}

static void check_refused(const void *data, size_t len, enum status expected, const char *text) {
    struct error err = {0};
    struct picture picture;
    T_INT(picture_decode(&picture, data, len, &err), expected);
    T_CONTAINS(err.message, text);
    T_CHECK(!picture.pixels);
}

static void test_not_a_picture(void) {
    check_refused("", 0, STATUS_INVALID, "neither JPEG nor PNG");
    check_refused("GIF89a", 6, STATUS_INVALID, "neither JPEG nor PNG");
    check_refused("\x89PNG", 4, STATUS_INVALID, "neither JPEG nor PNG");
}

/* A few bytes that promise a huge picture are refused before memory is taken. */
static void test_too_many_pixels(void) {
    size_t len;
    static const uint8_t header[] = {0, 0, 0x40, 0, 0, 0,    0x40, 0, /* 16384 x 16384 */
                                     8, 2, 0,    0, 0, 0x26, 0xaa, 0x87, 0xd3};
    char *png = load("rgb.png", &len);
    memcpy(png + 16, header, sizeof header);
    check_refused(png, len, STATUS_TOO_LARGE, "16384x16384 pixels");
    free(png);

    char *jpeg = load("rgb.jpg", &len);
    for (size_t i = 0; i + 9 < len; i++)
        if ((uint8_t)jpeg[i] == 0xff && (uint8_t)jpeg[i + 1] == 0xc0)
            memcpy(jpeg + i + 5, "\x3f\xff\x3f\xff", 4);
    check_refused(jpeg, len, STATUS_TOO_LARGE, "16383x16383 pixels");
    for (size_t i = 0; i + 9 < len; i++)
        if ((uint8_t)jpeg[i] == 0xff && (uint8_t)jpeg[i + 1] == 0xc0)
            memcpy(jpeg + i + 5, "\x00\x01\xff\xdc", 4);
    check_refused(jpeg, len, STATUS_TOO_LARGE, "65500x1 pixels");
    free(jpeg);
}

static void test_too_many_bytes(void) {
    char *data = xcalloc(1, PICTURE_MAX_BYTES + 1);
    memcpy(data, "\xff\xd8\xff", 3);
    check_refused(data, PICTURE_MAX_BYTES + 1, STATUS_TOO_LARGE, "at most 33554432");
    check_refused(data, PICTURE_MAX_BYTES, STATUS_INVALID, "truncated");
    free(data);
}

/* The last scan of a progressive picture, repeated. */
static void test_too_many_scans(void) {
    size_t len, scan = 0;
    char *data = load("progressive.jpg", &len);
    for (size_t i = 0; i + 1 < len; i++)
        if ((uint8_t)data[i] == 0xff && (uint8_t)data[i + 1] == 0xda)
            scan = i;
    struct str many = STR_INIT;
    str_add_bytes(&many, data, scan);
    for (int i = 0; i <= PICTURE_MAX_SCANS; i++)
        str_add_bytes(&many, data + scan, len - 2 - scan);
    str_add_bytes(&many, "\xff\xd9", 2);
    check_refused(many.data, many.len, STATUS_TOO_LARGE, "scans; at most 64 are allowed");
    str_release(&many);
    free(data);
}

static void check_round_trip(int channels) {
    uint8_t pixels[5 * 7 * 3];
    struct picture picture = {5, 7, channels, pixels}, back;
    char path[FILE_PATH_BYTES], *data;
    size_t len;
    for (int i = 0; i < (int)sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 37);
    CHECK(file_join(path, root, "written.png", NULL) == STATUS_OK);
    T_INT(picture_write_png(&picture, path, NULL), STATUS_OK);
    CHECK(file_read(path, 1 << 20, &data, &len, NULL) == STATUS_OK);
    CHECK(picture_decode(&back, data, len, NULL) == STATUS_OK);
    T_INT(back.height * 100 + back.width * 10 + back.channels, 570 + channels);
    T_INT(memcmp(back.pixels, pixels, (size_t)(5 * 7 * channels)), 0);
    picture_release(&back);
    free(data);
}

static void test_write(void) {
    check_round_trip(1);
    check_round_trip(3);
    struct error err = {0};
    uint8_t pixel = 0;
    struct picture picture = {1, 1, 1, &pixel};
    T_INT(picture_write_png(&picture, "/nowhere/at/all.png", &err), STATUS_NOT_FOUND);
}

int main(void) {
    struct picture picture;
    if (picture_decode(&picture, "\x89PNG\r\n\x1a\n", 8, NULL) == STATUS_UNSUPPORTED)
        return 77;
    root = t_temp_dir();
    T_RUN(test_golden);
    T_RUN(test_truncated);
    T_RUN(test_extraneous_bytes);
    T_RUN(test_mutated);
    T_RUN(test_not_a_picture);
    T_RUN(test_too_many_pixels);
    T_RUN(test_too_many_bytes);
    T_RUN(test_too_many_scans);
    T_RUN(test_write);
    CHECK(file_remove_all(root, NULL) == STATUS_OK);
    return t_done();
}
