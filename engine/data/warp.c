#include "engine/data/augment_ops.h"

#include <math.h>
#include <string.h>

/* The place in the copy where a pixel comes from: x' = a x + b y + c, y' = d x + e y + f. */
struct affine {
    double a, b, c, d, e, f;
};

/* The cubic through b (at 0) and c (at 1) that PIL's transform uses; exact where all are equal. */
static inline float cubic(float a, float b, float c, float d, float at) {
    return b + at * (c - a + at * (2 * (a - b) + c - d + at * (b - a - c + d)));
}

static inline int clamp(int i, int size) {
    return i < 0 ? 0 : i > size - 1 ? size - 1 : i;
}

/* The pixel at x, y >= 0 of the copy, rounded down, as PIL does. Neighbours outside are the
 * border's. */
static inline void sample(const struct augment_op_args *args, double x, double y, int channels,
                          uint8_t *out) {
    int width = args->pixels->width, left = (int)(x + 0.5) - 1, top = (int)(y + 0.5) - 1;
    float right_part = (float)(x - 0.5 - left), lower_part = (float)(y - 0.5 - top);
    const uint8_t *row[4];
    int column[4];
    for (int i = 0; i < 4; i++) {
        size_t at = (size_t)clamp(top - 1 + i, args->pixels->height) * (size_t)width;
        row[i] = args->copy + at * (size_t)channels;
        column[i] = clamp(left - 1 + i, width) * channels;
    }
    for (int c = 0; c < channels; c++) {
        float line[4];
        for (int i = 0; i < 4; i++)
            line[i] = cubic(row[i][column[0] + c], row[i][column[1] + c], row[i][column[2] + c],
                            row[i][column[3] + c], right_part);
        float value = cubic(line[0], line[1], line[2], line[3], lower_part);
        out[c] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

/* Inlined for 1 and for 3 channels. */
static inline void warp_channels(const struct augment_op_args *args, const struct affine *map,
                                 int channels) {
    int height = args->pixels->height, width = args->pixels->width;
    uint8_t *out = args->pixels->pixels;
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++, out += channels) {
            double x = map->a * (column + 0.5) + map->b * (row + 0.5) + map->c;
            double y = map->d * (column + 0.5) + map->e * (row + 0.5) + map->f;
            if (x < 0 || x >= width || y < 0 || y >= height)
                memcpy(out, args->fill, (size_t)channels);
            else
                sample(args, x, y, channels, out);
        }
}

static void warp(const struct augment_op_args *args, const struct affine *map) {
    if (args->pixels->channels == 3)
        warp_channels(args, map, 3);
    else
        warp_channels(args, map, 1);
}

/* Counter-clockwise around the middle. */
void warp_rotate(const struct augment_op_args *args) {
    double angle = -args->value * (3.14159265358979323846 / 180);
    double cosine = cos(angle), sine = sin(angle);
    double x = args->pixels->width / 2.0, y = args->pixels->height / 2.0;
    warp(args, &(struct affine){cosine, sine, x - x * cosine - y * sine, -sine, cosine,
                                y + x * sine - y * cosine});
}

void warp_shear_x(const struct augment_op_args *args) {
    warp(args, &(struct affine){1, args->value, 0, 0, 1, 0});
}

void warp_shear_y(const struct augment_op_args *args) {
    warp(args, &(struct affine){1, 0, 0, args->value, 1, 0});
}

void warp_translate_x(const struct augment_op_args *args) {
    warp(args, &(struct affine){1, 0, args->value * args->pixels->width, 0, 1, 0});
}

void warp_translate_y(const struct augment_op_args *args) {
    warp(args, &(struct affine){1, 0, 0, 0, 1, args->value * args->pixels->height});
}
