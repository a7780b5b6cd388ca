/* Crops and mirroring: pure functions of seed, epoch and index with the distributions promised. */
#include "engine/data/augment.h"

#include "tests/support/t.h"

#include <math.h>

enum { DRAWS = 20000 };

static struct augment_key key_of(uint32_t index) {
    return (struct augment_key){.data_seed = 42, .epoch = 3, .index = index};
}

/* Mean area is below (0.08 + 1) / 2 because large areas are refused more often than small ones;
 * the ratio is symmetric in its logarithm. */
static void test_crops(void) {
    double area = 0, log_ratio = 0, top = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        struct augment_key key = key_of(i);
        struct box box = augment_crop(&key, 400, 400);
        double ratio = (double)box.width / box.height, part = box.width * box.height / 160000.0;
        T_CHECK(box.top >= 0 && box.left >= 0);
        T_CHECK(box.top + box.height <= 400 && box.left + box.width <= 400);
        T_CHECK(part > 0.079 && ratio > 0.74 && ratio < 1.35);
        area += part;
        log_ratio += log(ratio);
        top += box.height < 400 ? box.top / (400.0 - box.height) : 0.5;
    }
    T_NEAR(area / DRAWS, 0.479, 0.006); /* of 200000 draws by the rule in Python */
    T_NEAR(log_ratio / DRAWS, 0, 0.01);
    T_NEAR(top / DRAWS, 0.5, 0.01);
}

/* No box of these ratios and a twelfth of the area fits: the fallback, by hand. */
static void test_narrow_pictures(void) {
    struct augment_key key = key_of(1);
    struct box wide = augment_crop(&key, 10, 1000), high = augment_crop(&key, 1000, 9);
    T_INT(wide.height, 10);
    T_INT(wide.width, 13);
    T_INT(wide.left, 493);
    T_INT(high.width, 9);
    T_INT(high.height, 12);
    T_INT(high.top, 494);
    struct box pixel = augment_crop(&key, 1, 1);
    T_INT(pixel.height, 1);
    T_INT(pixel.width, 1);
}

static void test_pure(void) {
    struct augment_key key = key_of(7), other = key_of(7);
    struct box a = augment_crop(&key, 300, 500), b = augment_crop(&other, 300, 500);
    T_INT(memcmp(&a, &b, sizeof a), 0);
    other.epoch++;
    b = augment_crop(&other, 300, 500);
    T_CHECK(memcmp(&a, &b, sizeof a) != 0);
    other = key_of(8);
    b = augment_crop(&other, 300, 500);
    T_CHECK(memcmp(&a, &b, sizeof a) != 0);
}

/* Part of the bytes a spec produces: these numbers never change. */
static void test_pinned(void) {
    struct augment_key key = key_of(0);
    struct box box = augment_crop(&key, 375, 500);
    T_INT(box.top, 82);
    T_INT(box.left, 234);
    T_INT(box.height, 283);
    T_INT(box.width, 258);
    int mirrors = 0;
    for (uint32_t i = 0; i < 16; i++) {
        key = key_of(i);
        mirrors = 2 * mirrors + augment_mirrors(&key);
    }
    T_INT(mirrors, 30213);
}

static void test_mirror(void) {
    int mirrored = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        struct augment_key key = key_of(i);
        mirrored += augment_mirrors(&key);
    }
    T_NEAR(mirrored / (double)DRAWS, 0.5, 0.015);
    uint8_t pixels[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19};
    static const uint8_t expected[] = {7,  8,  9,  4,  5,  6,  1,  2,  3,
                                       17, 18, 19, 14, 15, 16, 11, 12, 13};
    pixels_mirror(&(struct picture){2, 3, 3, pixels});
    T_INT(memcmp(pixels, expected, sizeof pixels), 0);
    uint8_t grey[] = {1, 2, 3, 4};
    pixels_mirror(&(struct picture){1, 4, 1, grey});
    T_INT(memcmp(grey, (uint8_t[]){4, 3, 2, 1}, 4), 0);
}

int main(void) {
    T_RUN(test_crops);
    T_RUN(test_narrow_pictures);
    T_RUN(test_pure);
    T_RUN(test_pinned);
    T_RUN(test_mirror);
    return t_done();
}
