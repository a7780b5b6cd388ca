#include "engine/data/augment.h"

#include "engine/base/rng.h"
#include "engine/data/rand_augment.h"

#include <math.h>
#include <stdlib.h>

enum { CROP_TRIES = 10 };

static double between(uint32_t word, double low, double high) {
    return low + (high - low) * (double)rng_unit(word);
}

/* The largest box in the middle with a ratio of width to height from 3/4 to 4/3. */
static struct box centered_crop(int height, int width) {
    struct box box = {0, 0, height, width};
    if (width < 3.0 / 4 * height)
        box.height = (int)nearbyint(width / (3.0 / 4));
    else if (width > 4.0 / 3 * height)
        box.width = (int)nearbyint(height * (4.0 / 3));
    box.top = (height - box.height) / 2;
    box.left = (width - box.width) / 2;
    return box;
}

struct box augment_crop(const struct augment_key *key, int height, int width) {
    for (uint32_t attempt = 0; attempt < CROP_TRIES; attempt++) {
        struct rng_block draw =
            rng_philox(key->data_seed, key->index, key->epoch, RNG_CROP, attempt);
        double area = (double)height * width * between(draw.word[0], 0.08, 1);
        double ratio = exp(between(draw.word[1], log(3.0 / 4), log(4.0 / 3)));
        struct box box = {.height = (int)nearbyint(sqrt(area / ratio)),
                          .width = (int)nearbyint(sqrt(area * ratio))};
        if (box.height < 1 || box.height > height || box.width < 1 || box.width > width)
            continue;
        box.top = (int)rng_below(draw.word[2], (uint32_t)(height - box.height) + 1);
        box.left = (int)rng_below(draw.word[3], (uint32_t)(width - box.width) + 1);
        return box;
    }
    return centered_crop(height, width);
}

bool augment_mirrors(const struct augment_key *key) {
    return rng_philox(key->data_seed, key->index, key->epoch, RNG_MIRROR, 0).word[0] & 1;
}

void pixels_mirror(const struct picture *pixels) {
    size_t channels = (size_t)pixels->channels, width = (size_t)pixels->width;
    for (int y = 0; y < pixels->height; y++) {
        uint8_t *left = pixels->pixels + (size_t)y * width * channels;
        uint8_t *right = left + (width - 1) * channels;
        for (; left < right; left += channels, right -= channels)
            for (size_t c = 0; c < channels; c++) {
                uint8_t held = left[c];
                left[c] = right[c];
                right[c] = held;
            }
    }
}

/* Box and Muller; a = 0 counts as 1, whose logarithm exists. */
struct normal_pair augment_normal(uint32_t a, uint32_t b) {
    double radius = sqrt(-2 * log((a + 1.0) / 4294967296.0));
    double angle = 2 * 3.14159265358979323846 * (b / 4294967296.0);
    return (struct normal_pair){radius * cos(angle), radius * sin(angle)};
}

/* Where to erase; empty where this picture is left alone. */
static struct box erase_box(const struct augment_key *key, double probability, int height,
                            int width) {
    struct rng_block draw = rng_philox(key->data_seed, key->index, key->epoch, RNG_ERASE, 0);
    if (!(between(draw.word[0], 0, 1) < probability))
        return (struct box){0};
    double area = (double)height * width * between(draw.word[1], 0.02, 1.0 / 3);
    double ratio = exp(between(draw.word[2], log(0.3), log(1 / 0.3)));
    struct box box = {.height = (int)fmin(nearbyint(sqrt(area * ratio)), height),
                      .width = (int)fmin(nearbyint(sqrt(area / ratio)), width)};
    draw = rng_philox(key->data_seed, key->index, key->epoch, RNG_ERASE, 1);
    box.top = (int)rng_below(draw.word[0], (uint32_t)(height - box.height) + 1);
    box.left = (int)rng_below(draw.word[1], (uint32_t)(width - box.width) + 1);
    return box;
}

static uint8_t noise_byte(const struct augment *augment, int channel, double normal) {
    double value =
        255 * ((double)augment->mean[channel] + (double)augment->spread[channel] * normal);
    return (uint8_t)fmin(fmax(value, 0), 255);
}

/* A pixel takes one block of random numbers, blocks 2 and on: four normal numbers, or fewer. */
static void erase(const struct augment *augment, const struct augment_key *key,
                  const struct picture *pixels) {
    struct box box = erase_box(key, augment->erase, pixels->height, pixels->width);
    for (int i = 0; i < box.height * box.width; i++) {
        int y = box.top + i / box.width, x = box.left + i % box.width;
        struct rng_block draw =
            rng_philox(key->data_seed, key->index, key->epoch, RNG_ERASE, (uint32_t)i + 2);
        struct normal_pair ab = augment_normal(draw.word[0], draw.word[1]);
        size_t at = (size_t)y * (size_t)pixels->width + (size_t)x;
        uint8_t *pixel = pixels->pixels + at * (size_t)pixels->channels;
        pixel[0] = noise_byte(augment, 0, ab.first);
        if (pixels->channels == 1)
            continue;
        pixel[1] = noise_byte(augment, 1, ab.second);
        pixel[2] = noise_byte(augment, 2, augment_normal(draw.word[2], draw.word[3]).first);
    }
}

void augmenter_apply(struct augmenter *augmenter, const struct augment *augment,
                     const struct augment_key *key, const struct picture *pixels) {
    rand_augment(augmenter, augment, key, pixels);
    if (augment->erase > 0)
        erase(augment, key, pixels);
}

void augmenter_release(struct augmenter *augmenter) {
    free(augmenter->copy);
    *augmenter = (struct augmenter){0};
}
