/*
 * input.h - the pictures that a network takes, and how any picture becomes one of them.
 *
 * Errors:  as in resample.h.
 * Threads: as in resample.h.
 */
#ifndef ENGINE_DATA_INPUT_H
#define ENGINE_DATA_INPUT_H

#include "engine/data/resample.h"

struct input {
    int height, width, channels;
    int shorter; /* 0: squashed; else the shorter side becomes this, and the middle is taken */
    enum resample_filter filter;
};

size_t input_bytes(const struct input *input); /* Of one picture. */

/* Grey by Rec. 601 or three equal channels, resized as the input says, into
 * out [height,width,channels]. */
MUST_CHECK enum status input_take(const struct input *input, struct resampler *resampler,
                                  const struct picture *picture, uint8_t *out, struct error *err);

/* Decodes a JPEG or PNG file and takes it. */
MUST_CHECK enum status input_decode(const struct input *input, const void *bytes, size_t len,
                                    uint8_t *out, struct error *err);

#endif
