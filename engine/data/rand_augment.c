#include "engine/data/rand_augment.h"

#include "engine/base/rng.h"
#include "engine/data/augment_ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double levels = 10;

const struct augment_op augment_ops[AUGMENT_OPS] = {
    {"auto_contrast", tone_auto_contrast, 0, 0, false, false},
    {"equalize", tone_equalize, 0, 0, false, false},
    {"invert", tone_invert, 0, 0, false, false},
    {"rotate", warp_rotate, 0, 30, true, true},
    {"posterize", tone_posterize, 4, 0, false, false},
    {"solarize", tone_solarize, 256, 0, false, false},
    {"solarize_add", tone_solarize_add, 0, 110, false, false},
    {"color", enhance_color, 0, 0.9, true, false},
    {"contrast", enhance_contrast, 0, 0.9, true, false},
    {"brightness", enhance_brightness, 0, 0.9, true, false},
    {"sharpness", enhance_sharpness, 0, 0.9, true, true},
    {"shear_x", warp_shear_x, 0, 0.3, true, true},
    {"shear_y", warp_shear_y, 0, 0.3, true, true},
    {"translate_x", warp_translate_x, 0, 0.45, true, true},
    {"translate_y", warp_translate_y, 0, 0.45, true, true},
};

static const uint8_t *copy_pixels(struct augmenter *augmenter, const struct picture *pixels) {
    size_t bytes = (size_t)pixels->height * (size_t)pixels->width * (size_t)pixels->channels;
    if (augmenter->copy_bytes < bytes) {
        free(augmenter->copy);
        augmenter->copy = xmalloc(bytes);
        augmenter->copy_bytes = bytes;
    }
    return memcpy(augmenter->copy, pixels->pixels, bytes);
}

void augment_op_apply(struct augmenter *augmenter, const struct augment_op *op, double value,
                      const uint8_t *fill, const struct picture *pixels) {
    struct augment_op_args args = {.pixels = pixels, .value = value, .fill = fill};
    if (op->wants_copy)
        args.copy = copy_pixels(augmenter, pixels);
    op->apply(&args);
}

static double draw_value(const struct augment_op *op, const struct augment *augment,
                         const struct rng_block *draw) {
    double level = augment->magnitude +
                   augment->deviation * augment_normal(draw->word[2], draw->word[3]).first;
    level = fmin(fmax(level, 0), levels);
    double value = op->weakest + (op->strongest - op->weakest) * level / levels;
    return op->either_sign && draw->word[1] & 1 ? -value : value;
}

void rand_augment(struct augmenter *augmenter, const struct augment *augment,
                  const struct augment_key *key, const struct picture *pixels) {
    uint8_t fill[AUGMENT_CHANNELS];
    for (int c = 0; c < AUGMENT_CHANNELS; c++)
        fill[c] = (uint8_t)nearbyint((double)augment->mean[c] * 255);
    for (int i = 0; i < augment->rand_augment; i++) {
        struct rng_block draw =
            rng_philox(key->data_seed, key->index, key->epoch, RNG_RAND_AUGMENT, (uint32_t)i);
        const struct augment_op *op = &augment_ops[rng_below(draw.word[0], AUGMENT_OPS)];
        if (draw.word[1] & 2) /* one time of two */
            augment_op_apply(augmenter, op, draw_value(op, augment, &draw), fill, pixels);
    }
}
