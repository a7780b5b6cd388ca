/* Pictures of data sets as people see them. */
#include "engine/data/sample.h"
#include "engine/base/str.h"
#include "tests/unit/data/image_fixture.h"

static struct error why;

static void must(enum status status, const char *what) {
    if (status)
        T_FAIL("%s: %s", what, why.message);
}

/* Two pictures whose bytes count up. */
static void check_pixels(int height, int width, int channels, int shown) {
    struct picture picture;
    size_t bytes = (size_t)height * (size_t)width * (size_t)channels;
    uint8_t *images = xmalloc(2 * bytes);
    for (size_t i = 0; i < 2 * bytes; i++)
        images[i] = (uint8_t)(i % 251);
    const struct dataset dataset = {.height = height, .width = width, .channels = channels};
    const struct split split = {.count = 2, .images = images};
    must(sample_picture(&dataset, &split, 1, &picture, &why), "sample");
    T_INT(picture.height, height);
    T_INT(picture.width, width);
    T_INT(picture.channels, shown);
    for (int i = 0; i < height * width; i++)
        for (int c = 0; c < shown; c++)
            T_INT(picture.pixels[i * shown + c], images[bytes + (size_t)(i * channels + c)]);
    picture_release(&picture);
    T_INT(sample_picture(&dataset, &split, 2, &picture, &why), STATUS_INVALID);
    T_INT(sample_picture(&dataset, &split, -1, &picture, &why), STATUS_INVALID);
    free(images);
}

static void test_pixels_of_any_channels(void) {
    check_pixels(3, 5, 1, 1);
    check_pixels(3, 5, 2, 1);
    check_pixels(3, 5, 3, 3);
    check_pixels(3, 5, 4, 3);
}

static void test_large_pictures_become_smaller(void) {
    struct picture picture;
    uint8_t *images = xcalloc(1024 * 10, 1);
    memset(images, 7, 1024 * 10);
    const struct dataset dataset = {.height = 1024, .width = 10, .channels = 1};
    const struct split split = {.count = 1, .images = images};
    must(sample_picture(&dataset, &split, 0, &picture, &why), "sample");
    T_INT(picture.height, SAMPLE_MAX_SIDE);
    T_INT(picture.width, 2);
    for (int i = 0; i < SAMPLE_MAX_SIDE * 2; i++)
        T_INT(picture.pixels[i], 7);
    picture_release(&picture);
    must(sample_whole(&dataset, &split, 0, &picture, &why), "sample");
    T_INT(picture.height, 1024);
    T_INT(picture.width, 10);
    picture_release(&picture);
    free(images);
}

static void test_pictures_in_files(void) {
    struct dataset dataset;
    struct picture picture;
    char folder[FILE_PATH_BYTES];
    if (!has_images())
        return;
    must(file_join(folder, t_temp_dir(), "images", &why), "path");
    put_images(folder);
    must(dataset_open(&dataset, folder, NULL, &why), "open");
    T_INT(dataset.test.labels[0], 0);
    must(sample_picture(&dataset, &dataset.test, 0, &picture, &why), "sample");
    T_INT(picture.height, 21);
    T_INT(picture.width, 22);
    T_INT(picture.pixels[0], pixel(5, 0, 0, 0));
    picture_release(&picture);
    dataset_close(&dataset);
}

int main(void) {
    T_RUN(test_pixels_of_any_channels);
    T_RUN(test_large_pictures_become_smaller);
    T_RUN(test_pictures_in_files);
    return t_done();
}
