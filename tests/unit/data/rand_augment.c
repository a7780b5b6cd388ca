/* Each op of RandAugment gives PIL's pixels, which tests/golden/augment holds; how they are drawn.
 */
#include "engine/data/rand_augment.h"

#include "engine/base/safetensors.h"
#include "tests/support/t.h"

#include <math.h>

enum { DRAWS = 3000, MAX_BYTES = 4096 };

static const uint8_t fill[3] = {124, 116, 104};
static struct augmenter augmenter; /* one for all, as in a loader */

/* One grey level is allowed; returns how many bytes are not PIL's. */
static int compare(const char *name, const uint8_t *actual, const uint8_t *expected, size_t bytes) {
    int others = 0, far = 0;
    for (size_t i = 0; i < bytes; i++) {
        others += actual[i] != expected[i];
        far += abs(actual[i] - expected[i]) > 1;
    }
    if (far)
        T_FAIL("%s: %d of %zu bytes differ by more than 1", name, far, bytes);
    return others;
}

static int check_op(const struct safetensors *file, const char *of, const struct augment_op *op) {
    char name[80];
    CHECK(snprintf(name, sizeof name, "%s.values", op->name) < (int)sizeof name);
    const struct tensor *values = safetensors_find(file, name), *in = safetensors_find(file, of);
    int others = 0;
    for (int i = 0; i < (int)values->dim[0]; i++) {
        double value;
        uint8_t bytes[MAX_BYTES];
        memcpy(&value, (const uint8_t *)values->data + (size_t)i * sizeof value, sizeof value);
        memcpy(bytes, in->data, in->bytes);
        struct picture pixels = {(int)in->dim[0], (int)in->dim[1], (int)in->dim[2], bytes};
        augment_op_apply(&augmenter, op, value, fill, &pixels);
        CHECK(snprintf(name, sizeof name, "%s.%s.%d", of, op->name, i) < (int)sizeof name);
        others += compare(name, bytes, safetensors_find(file, name)->data, in->bytes);
    }
    return others;
}

/* Geometry is computed in f32 and may differ; what is reached is no byte of any op. */
static void test_golden(void) {
    static const char *const pictures[] = {"color", "grey", "flat"};
    struct safetensors file = {0};
    int others = 0;
    CHECK(safetensors_open(&file, "tests/golden/augment/ops.safetensors", NULL) == STATUS_OK);
    for (int p = 0; p < 3; p++)
        for (int i = 0; i < AUGMENT_OPS; i++)
            others += check_op(&file, pictures[p], &augment_ops[i]);
    T_CHECK(others < 20);
    safetensors_close(&file);
}

/* --- drawing --- */

enum { SIDE = 20, BYTES = SIDE * SIDE * 3, OUTCOMES = 64 };

static void fill_picture(uint8_t bytes[BYTES]) {
    for (int i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)(20 + (i * i * 7 + i * 31) % 200);
}

static void draw(uint8_t bytes[BYTES], const struct augment *augment, uint32_t index) {
    struct augment_key key = {.data_seed = 5, .epoch = 2, .index = index};
    fill_picture(bytes);
    augmenter_apply(&augmenter, augment, &key, &(struct picture){SIDE, SIDE, 3, bytes});
}

/* Nothing, 6 ops without a sign and 9 ops with two: 25 pictures come out, and with their shares. */
static void test_every_op_is_drawn(void) {
    static const struct augment one = {.rand_augment = 1, .magnitude = 9, .mean = {.5f, .5f, .5f}};
    static uint8_t outcome[OUTCOMES][BYTES];
    int count[OUTCOMES] = {0}, outcomes = 0, unsigned_ops = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        draw(outcome[outcomes], &one, i);
        int found = 0;
        while (memcmp(outcome[found], outcome[outcomes], BYTES) != 0)
            found++;
        count[found]++;
        outcomes += found == outcomes;
        CHECK(outcomes < OUTCOMES);
    }
    T_INT(outcomes, 25);
    for (int i = 0; i < outcomes; i++) {
        T_CHECK(count[i] > 0.6 * DRAWS / 60);
        unsigned_ops += count[i] > 1.5 * DRAWS / 60; /* these, and nothing */
    }
    T_INT(unsigned_ops, 7);
}

static void test_pure(void) {
    static const struct augment two = {2, 9, .5, .25, {.5f, .4f, .3f}, {.2f, .2f, .2f}};
    uint8_t a[BYTES], b[BYTES], plain[BYTES];
    int unchanged = 0;
    fill_picture(plain);
    for (uint32_t i = 0; i < 200; i++) {
        draw(a, &two, i);
        draw(b, &two, 1000 + i);
        draw(b, &two, i);
        T_INT(memcmp(a, b, BYTES), 0);
        unchanged += memcmp(a, plain, BYTES) == 0;
    }
    T_CHECK(unchanged > 15 && unchanged < 60); /* 1/4 have no op, 3/4 of these are not erased */
}

static void test_off(void) {
    static const struct augment nothing = {.magnitude = 9, .deviation = 0.5};
    uint8_t bytes[BYTES], plain[BYTES];
    fill_picture(plain);
    for (uint32_t i = 0; i < 50; i++) {
        draw(bytes, &nothing, i);
        T_INT(memcmp(bytes, plain, BYTES), 0);
    }
}

/* Part of the bytes a spec produces: this sum never changes. */
static void test_pinned(void) {
    static const struct augment two = {2, 9, .5, .25, {.5f, .4f, .3f}, {.2f, .2f, .2f}};
    uint8_t bytes[BYTES];
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 100; i++) {
        draw(bytes, &two, i);
        for (int k = 0; k < BYTES; k++)
            sum = sum * 31 + bytes[k];
    }
    T_INT(sum, 2956261177);
}

/* --- erasing --- */

enum { HEIGHT = 60, WIDTH = 80, PIXELS = HEIGHT * WIDTH };

/* Erases a black picture; returns the number of pixels that are not black, and their extent. */
static int erased(const struct augment *augment, uint32_t index, uint8_t pixels[PIXELS],
                  struct box *box) {
    struct augment_key key = {.data_seed = 5, .epoch = 2, .index = index};
    int count = 0, bottom = -1, right = -1;
    memset(pixels, 0, PIXELS);
    augmenter_apply(&augmenter, augment, &key, &(struct picture){HEIGHT, WIDTH, 1, pixels});
    *box = (struct box){HEIGHT, WIDTH, 0, 0};
    for (int i = 0; i < PIXELS; i++)
        if (pixels[i]) {
            int y = i / WIDTH, x = i % WIDTH;
            box->top = y < box->top ? y : box->top;
            box->left = x < box->left ? x : box->left;
            bottom = y > bottom ? y : bottom;
            right = x > right ? x : right;
            count++;
        }
    box->height = bottom + 1 - box->top;
    box->width = right + 1 - box->left;
    return count;
}

static void test_erased_boxes(void) {
    static const struct augment even = {.erase = 0.25, .mean = {.5f}};
    static uint8_t pixels[PIXELS];
    int hits = 0;
    double area = 0, log_ratio = 0;
    for (uint32_t i = 0; i < 4000; i++) {
        struct box box;
        int count = erased(&even, i, pixels, &box);
        if (!count)
            continue;
        T_INT(count, box.height * box.width);
        T_CHECK(count > 0.018 * PIXELS && count < 0.34 * PIXELS);
        area += (double)count / PIXELS;
        log_ratio += log((double)box.height / box.width);
        hits++;
    }
    T_NEAR(hits / 4000.0, 0.25, 0.02);
    T_NEAR(area / hits, 0.1767, 0.01); /* (0.02 + 1/3) / 2, nearly nothing is cut off */
    T_CHECK(fabs(log_ratio / hits) < 0.08);
}

static void test_noise(void) {
    static const struct augment always = {.erase = 1, .mean = {.5f}, .spread = {.2f}};
    static uint8_t pixels[PIXELS];
    double sum = 0, squares = 0, n = 0;
    for (uint32_t i = 0; i < 20; i++) {
        struct box box;
        erased(&always, i, pixels, &box);
        for (int k = 0; k < PIXELS; k++)
            if (pixels[k]) {
                n++;
                sum += pixels[k];
                squares += (double)pixels[k] * pixels[k];
            }
    }
    T_NEAR(sum / n, 127, 1.5);
    T_NEAR(sqrt(squares / n - sum / n * (sum / n)), 51, 2); /* 255 x 0.2, hardly cut */
}

int main(void) {
    T_RUN(test_golden);
    T_RUN(test_every_op_is_drawn);
    T_RUN(test_pure);
    T_RUN(test_off);
    T_RUN(test_pinned);
    T_RUN(test_erased_boxes);
    T_RUN(test_noise);
    augmenter_release(&augmenter);
    return t_done();
}
