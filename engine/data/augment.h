/*
 * augment.h - what training changes about a picture on the host: crop and mirror.
 *
 * Every draw is a pure function of a key: data seed, epoch and the picture's index in the data set.
 *
 * Threads: pure functions.
 * Units:   pixels are u8 NHWC.
 */
#ifndef ENGINE_DATA_AUGMENT_H
#define ENGINE_DATA_AUGMENT_H

#include "engine/data/resample.h"

struct augment_key {
    uint64_t data_seed;
    uint32_t epoch, index;
};

/* torchvision's RandomResizedCrop: area 0.08 to 1 of the picture, log-uniform ratio 3/4 to 4/3, ten
 * tries, else the largest centered box within these ratios. */
struct box augment_crop(const struct augment_key *key, int height, int width);

/* Whether the picture is mirrored, one time of two. */
bool augment_mirrors(const struct augment_key *key);

/* Exchanges left and right of pixels [height,width,channels] in place. */
void pixels_mirror(const struct picture *pixels);

#endif
