/*
 * image_fixture.h - small data sets of PNG and JPEG files on disk.
 *
 * A failure to write is a failure of the machine, not of what is tested: it aborts.
 */
#ifndef TESTS_UNIT_DATA_IMAGE_FIXTURE_H
#define TESTS_UNIT_DATA_IMAGE_FIXTURE_H

#include "engine/data/picture.h"
#include "tests/unit/data/fixture.h"

#define GOLDEN_JPEG "tests/golden/pictures/rgb.jpg"

/* Whether this build decodes pictures; one without the libraries says so for any bytes. */
static inline bool has_images(void) {
    struct picture picture;
    return picture_decode(&picture, "\x89PNG\r\n\x1a\n", 8, NULL) != STATUS_UNSUPPORTED;
}

/* folder/name becomes a PNG of height x width that depends on seed. */
static inline void put_png(const char *folder, const char *name, int seed, int height, int width) {
    char path[FILE_PATH_BYTES];
    put_text(folder, name, ""); /* makes the folders */
    CHECK(file_join(path, folder, name, NULL) == STATUS_OK);
    struct picture picture = {height, width, 3, xmalloc((size_t)height * (size_t)width * 3)};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                picture.pixels[(y * width + x) * 3 + c] = pixel(seed, y, x, c);
    CHECK(picture_write_png(&picture, path, NULL) == STATUS_OK);
    free(picture.pixels);
}

/* cat and dog, sizes that differ: 5 pictures to train, one of them a JPEG, 3 to test. */
static inline void put_images(const char *folder) {
    put_png(folder, "train/cat/a.png", 1, 20, 30);
    put_png(folder, "train/cat/b.PNG", 2, 40, 25);
    put_png(folder, "train/dog/1/a.png", 3, 33, 33);
    put_png(folder, "train/dog/z.png", 4, 18, 50);
    shell("cp %s %s/train/dog/c.jpeg", GOLDEN_JPEG, folder);
    put_png(folder, "test/cat/x.png", 5, 21, 22);
    put_png(folder, "test/dog/y.png", 6, 28, 24);
    put_png(folder, "test/dog/z.png", 7, 24, 24);
}

#endif
