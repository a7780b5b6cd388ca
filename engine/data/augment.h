/*
 * augment.h - what training changes about a picture on the host: crop, mirror, RandAugment,
 * erasing.
 *
 * Every draw is a pure function of a key: data seed, epoch and the picture's index in the data set.
 *
 * In the order of the DeiT recipe:
 *
 *     struct box crop = augment_crop(&key, picture.height, picture.width);
 *     struct resample part = resample_crop(crop, side, 3, RESAMPLE_BICUBIC);
 *     status = picture_resample(&resampler, &picture, &part, pixels.pixels, err);
 *     if (augment_mirrors(&key))
 *         pixels_mirror(&pixels);
 *     augmenter_apply(&augmenter, &augment, &key, &pixels);
 *
 * Ownership: an augmenter is the caller's storage, zeroed before its first use; it keeps memory for
 *            the next picture.
 * Threads:   one augmenter a thread; the rest are pure functions.
 * Units:     pixels are u8 [height,width,channels].
 */
#ifndef ENGINE_DATA_AUGMENT_H
#define ENGINE_DATA_AUGMENT_H

#include "engine/data/resample.h"

struct augment_key {
    uint64_t data_seed;
    uint32_t epoch, index;
};

enum { AUGMENT_CHANNELS = 3 };

/* What happens to pixels behind crop and mirror; all zero: nothing. */
struct augment {
    int rand_augment;            /* ops a picture */
    double magnitude, deviation; /* of RandAugment, 0..10, and of its normal noise */
    double erase;                /* probability of RandomErasing */
    float mean[AUGMENT_CHANNELS], spread[AUGMENT_CHANNELS]; /* of the data set, pixels in 0..1 */
};

struct augmenter {
    uint8_t *copy; /* a picture before an op that looks at neighbours */
    size_t copy_bytes;
};

/* torchvision's RandomResizedCrop: area 0.08 to 1 of the picture, log-uniform ratio 3/4 to 4/3, ten
 * tries, else the largest centered box within these ratios. */
struct box augment_crop(const struct augment_key *key, int height, int width);

/* Whether the picture is mirrored, one time of two. */
bool augment_mirrors(const struct augment_key *key);

/* Exchanges left and right of pixels [height,width,channels] in place. */
void pixels_mirror(const struct picture *pixels);

/* RandAugment, which fills with the mean (rand_augment.h), then RandomErasing: a box of 0.02 to 1/3
 * of the area and log-uniform ratio 3/10 to 10/3 becomes normal noise around mean, with spread, cut
 * to 0..255; one draw for each pixel and channel. In place; channels 1 or 3. */
void augmenter_apply(struct augmenter *augmenter, const struct augment *augment,
                     const struct augment_key *key, const struct picture *pixels);

void augmenter_release(struct augmenter *augmenter); /* Zeroed or used. */

/* Two independent standard normal numbers. */
struct normal_pair {
    double first, second;
} augment_normal(uint32_t a, uint32_t b);

#endif
