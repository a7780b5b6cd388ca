/*
 * sample.h - pictures of a data set for people to look at.
 *
 * Ownership: a sample's picture is released by the caller.
 * Errors:    INVALID (no such picture), CORRUPT (a file that has changed), OUT_OF_MEMORY,
 *            UNSUPPORTED (built without the image libraries).
 * Threads:   any, on a data set that is open.
 */
#ifndef ENGINE_DATA_SAMPLE_H
#define ENGINE_DATA_SAMPLE_H

#include "engine/data/dataset.h"
#include "engine/data/picture.h"

enum { SAMPLE_MAX_SIDE = 256 };

/* A picture of a split: upright, without augmentation. Of two channels the first is shown, of four
 * the first three. */
MUST_CHECK enum status sample_whole(const struct dataset *dataset, const struct split *split,
                                    int64_t index, struct picture *picture, struct error *err);

/* The same, made smaller if a side is longer than SAMPLE_MAX_SIDE. */
MUST_CHECK enum status sample_picture(const struct dataset *dataset, const struct split *split,
                                      int64_t index, struct picture *picture, struct error *err);

#endif
