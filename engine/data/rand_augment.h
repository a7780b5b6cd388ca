/*
 * rand_augment.h - the ops of RandAugment, as the DeiT recipe has them, and how they are drawn.
 *
 * They are timm's "increasing" list with a level from 0 to 10: the higher, the stronger. For a
 * picture several are drawn, with replacement. Each is then done with probability 1/2, at a level
 * with normal noise added, and in a random direction if it has one. Ops that PIL has too give PIL's
 * result to 1 grey level. Geometry is bicubic, and fills what comes from outside of the picture.
 *
 * Threads: pure functions of the pixels; one copy buffer a thread.
 * Units:   pixels are u8 [height,width,channels], channels 1 or 3.
 */
#ifndef ENGINE_DATA_RAND_AUGMENT_H
#define ENGINE_DATA_RAND_AUGMENT_H

#include "engine/data/augment.h"

/* One op on one picture. */
struct augment_op_args {
    const struct picture *pixels;
    const uint8_t *copy; /* the pixels as they were; only for rows that ask for it */
    double value;        /* within the row's range, or its negative */
    const uint8_t *fill; /* [channels] */
};

struct augment_op {
    const char *name;
    void (*apply)(const struct augment_op_args *args);
    double weakest, strongest; /* value at level 0 and at level 10 */
    bool either_sign, wants_copy;
};

enum { AUGMENT_OPS = 15 };
extern const struct augment_op augment_ops[AUGMENT_OPS];

/* Does one op in place. */
void augment_op_apply(struct augmenter *augmenter, const struct augment_op *op, double value,
                      const uint8_t *fill, const struct picture *pixels);

/* Draws and does the ops of a picture. */
void rand_augment(struct augmenter *augmenter, const struct augment *augment,
                  const struct augment_key *key, const struct picture *pixels);

#endif
