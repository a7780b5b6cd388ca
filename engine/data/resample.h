/*
 * resample.h - pictures cut and resized as PIL does it: crop(box), then resize(size, filter).
 *
 * A filter is widened by the scale when it shrinks (antialiased). Weights are whole numbers with 22
 * bits behind the point; rows come first, then columns, rounded to 8 bits after each: the bytes are
 * those of PIL up to 11 (later ones exchange the two where that is cheaper: 1 grey level). Pixels
 * outside the crop do not count, as in torchvision's resized_crop.
 *
 * Ownership: a resampler is the caller's storage, zeroed before its first use; it holds memory that
 *            grows to the largest picture seen and is kept for the next one.
 * Errors:    INVALID (sizes, a crop or window that does not fit), OUT_OF_MEMORY; the resampler
 *            stays usable.
 * Threads:   one resampler a thread; the boxes are pure functions.
 */
#ifndef ENGINE_DATA_RESAMPLE_H
#define ENGINE_DATA_RESAMPLE_H

#include "engine/data/picture.h"

enum resample_filter { RESAMPLE_BILINEAR, RESAMPLE_BICUBIC };

struct box {
    int top, left, height, width;
};

struct resample {
    enum resample_filter filter;
    struct box crop;   /* of the picture */
    int height, width; /* what the crop becomes */
    struct box window; /* the part of that which is written */
    int channels;      /* 1 or 3: grey by Rec. 601, or three equal channels, where they differ */
};

struct resample_axis {
    int size, out;                                  /* of the crop, and what it becomes */
    int begin, count;                               /* the window */
    int taps;                                       /* most inputs of one output */
    int *first, *inputs;                            /* [count] */
    int32_t *weight;                                /* [count,taps] */
    double *exact;                                  /* [taps] */
    size_t places_bytes, weight_bytes, exact_bytes; /* room */
};

struct resampler {
    struct resample_axis rows, columns;
    uint8_t *narrow, *converted;          /* rows already resized; a row in other channels */
    size_t narrow_bytes, converted_bytes; /* room */
};

/* The whole picture becomes height x width, squashed. */
struct resample resample_whole(const struct picture *picture, int height, int width, int channels,
                               enum resample_filter filter);

/* A crop of the picture becomes side x side. */
struct resample resample_crop(struct box crop, int side, int channels, enum resample_filter filter);

/* The shorter side of the picture becomes shorter, the other one in proportion (rounded down, as
 * torchvision's Resize), and the middle side x side of that is taken; side <= shorter. Where the
 * other side would leave PICTURE_MAX_SIDE, the ends of the picture are cut off first. */
struct resample resample_center(const struct picture *picture, int shorter, int side, int channels,
                                enum resample_filter filter);

/* Writes [window.height,window.width,channels] to out. */
MUST_CHECK enum status picture_resample(struct resampler *resampler, const struct picture *picture,
                                        const struct resample *resample, uint8_t *out,
                                        struct error *err);

void resampler_release(struct resampler *resampler); /* Zeroed or used. */

#endif
