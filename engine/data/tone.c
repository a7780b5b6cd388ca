#include "engine/data/augment_ops.h"

#include <math.h>
#include <string.h>

enum { LEVELS = 256 };

static uint8_t clip(double value) {
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void count_levels(const struct picture *pixels, int channel, uint32_t count[LEVELS]) {
    size_t channels = (size_t)pixels->channels;
    size_t n = (size_t)pixels->height * (size_t)pixels->width;
    memset(count, 0, LEVELS * sizeof *count);
    for (size_t i = 0; i < n; i++)
        count[pixels->pixels[i * channels + (size_t)channel]]++;
}

static void map_channel(const struct picture *pixels, int channel, const uint8_t map[LEVELS]) {
    size_t channels = (size_t)pixels->channels;
    size_t n = (size_t)pixels->height * (size_t)pixels->width;
    for (size_t i = 0; i < n; i++) {
        uint8_t *byte = pixels->pixels + i * channels + (size_t)channel;
        *byte = map[*byte];
    }
}

static void map_all(const struct picture *pixels, const uint8_t map[LEVELS]) {
    for (int channel = 0; channel < pixels->channels; channel++)
        map_channel(pixels, channel, map);
}

/* Stretches what is there to 0..255. */
static void contrast_map(const uint32_t count[LEVELS], uint8_t map[LEVELS]) {
    int low = 0, high = LEVELS - 1;
    while (low < LEVELS - 1 && !count[low])
        low++;
    while (high > 0 && !count[high])
        high--;
    double scale = high > low ? 255.0 / (high - low) : 1, offset = high > low ? -low * scale : 0;
    for (int i = 0; i < LEVELS; i++)
        map[i] = clip(i * scale + offset);
}

/* Gives each level the share of pixels below it; the last level that occurs does not count. */
static void equalize_map(const uint32_t count[LEVELS], uint8_t map[LEVELS]) {
    uint32_t total = 0, last = 0;
    for (int i = 0; i < LEVELS; i++) {
        total += count[i];
        last = count[i] ? count[i] : last;
    }
    uint32_t step = (total - last) / 255, below = step / 2;
    for (int i = 0; i < LEVELS; i++) {
        uint32_t share = step ? below / step : (uint32_t)i;
        map[i] = (uint8_t)(share < 255 ? share : 255);
        below += count[i];
    }
}

static void map_by_counts(const struct picture *pixels,
                          void (*make)(const uint32_t count[LEVELS], uint8_t map[LEVELS])) {
    uint32_t count[LEVELS];
    uint8_t map[LEVELS];
    for (int channel = 0; channel < pixels->channels; channel++) {
        count_levels(pixels, channel, count);
        make(count, map);
        map_channel(pixels, channel, map);
    }
}

void tone_auto_contrast(const struct augment_op_args *args) {
    map_by_counts(args->pixels, contrast_map);
}

void tone_equalize(const struct augment_op_args *args) {
    map_by_counts(args->pixels, equalize_map);
}

void tone_invert(const struct augment_op_args *args) {
    uint8_t map[LEVELS];
    for (int i = 0; i < LEVELS; i++)
        map[i] = (uint8_t)(255 - i);
    map_all(args->pixels, map);
}

void tone_posterize(const struct augment_op_args *args) {
    uint8_t map[LEVELS];
    int lost = 8 - (int)ceil(args->value);
    for (int i = 0; i < LEVELS; i++)
        map[i] = (uint8_t)(i >> lost << lost);
    map_all(args->pixels, map);
}

void tone_solarize(const struct augment_op_args *args) {
    uint8_t map[LEVELS];
    for (int i = 0; i < LEVELS; i++)
        map[i] = (uint8_t)(i < args->value ? i : 255 - i);
    map_all(args->pixels, map);
}

void tone_solarize_add(const struct augment_op_args *args) {
    uint8_t map[LEVELS];
    for (int i = 0; i < LEVELS; i++)
        map[i] = i < 128 ? clip(i + floor(args->value)) : (uint8_t)i;
    map_all(args->pixels, map);
}
