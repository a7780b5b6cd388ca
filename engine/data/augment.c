#include "engine/data/augment.h"

#include "engine/base/rng.h"

#include <math.h>

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
