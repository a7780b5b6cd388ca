#include "engine/data/augment_ops.h"

/* Of dull and byte, 1 + value parts of byte: rounded down, as PIL does. */
static uint8_t blend(int dull, int byte, double value) {
    float sum = (float)dull + (float)(1 + value) * (float)(byte - dull);
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* Rec. 601, as in PIL's conversion to "L". */
static int grey_of(const uint8_t *pixel, int channels) {
    return channels == 1 ? pixel[0]
                         : (pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16;
}

void enhance_color(const struct augment_op_args *args) {
    int channels = args->pixels->channels;
    uint8_t *pixel = args->pixels->pixels;
    size_t n = (size_t)args->pixels->height * (size_t)args->pixels->width;
    for (size_t i = 0; i < n; i++, pixel += channels) {
        int grey = grey_of(pixel, channels);
        for (int c = 0; c < channels; c++)
            pixel[c] = blend(grey, pixel[c], args->value);
    }
}

static void blend_all(const struct picture *pixels, int dull, double value) {
    size_t bytes = (size_t)pixels->height * (size_t)pixels->width * (size_t)pixels->channels;
    uint8_t map[256];
    for (int i = 0; i < 256; i++)
        map[i] = blend(dull, i, value);
    for (size_t i = 0; i < bytes; i++)
        pixels->pixels[i] = map[pixels->pixels[i]];
}

void enhance_contrast(const struct augment_op_args *args) {
    int channels = args->pixels->channels;
    size_t n = (size_t)args->pixels->height * (size_t)args->pixels->width;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (uint64_t)grey_of(args->pixels->pixels + i * (size_t)channels, channels);
    blend_all(args->pixels, (int)((double)sum / (double)n + 0.5), args->value);
}

void enhance_brightness(const struct augment_op_args *args) {
    blend_all(args->pixels, 0, args->value);
}

/* The dull picture is smoothed by (1 1 1, 1 5 1, 1 1 1) / 13; its border is as it was. */
void enhance_sharpness(const struct augment_op_args *args) {
    int height = args->pixels->height, width = args->pixels->width;
    size_t channels = (size_t)args->pixels->channels, row = (size_t)width * channels;
    for (int y = 1; y < height - 1; y++)
        for (size_t x = channels; x < row - channels; x++) {
            const uint8_t *at = args->copy + (size_t)y * row + x;
            const uint8_t *above = at - row, *below = at + row;
            int sum = above[0] + at[0] * 5 + below[0];
            sum += *(above - channels) + *(at - channels) + *(below - channels);
            sum += above[channels] + at[channels] + below[channels];
            args->pixels->pixels[(size_t)y * row + x] =
                blend((2 * sum + 13) / 26, *at, args->value);
        }
}
