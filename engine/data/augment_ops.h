/*
 * augment_ops.h - the functions behind the rows of rand_augment.c; for that file only.
 *
 * Threads: pure functions of the pixels they change in place.
 */
#ifndef ENGINE_DATA_AUGMENT_OPS_H
#define ENGINE_DATA_AUGMENT_OPS_H

#include "engine/data/rand_augment.h"

typedef void augment_op_fn(const struct augment_op_args *args);

/* tone.c: each byte becomes another one; value: bits kept, threshold, addend. */
augment_op_fn tone_auto_contrast, tone_equalize, tone_invert, tone_posterize, tone_solarize,
    tone_solarize_add;

/* enhance.c: away from (or towards) a duller picture; value: 0 changes nothing. */
augment_op_fn enhance_color, enhance_contrast, enhance_brightness, enhance_sharpness;

/* warp.c: geometry; value: degrees, slope, part of the side. These want the copy. */
augment_op_fn warp_rotate, warp_shear_x, warp_shear_y, warp_translate_x, warp_translate_y;

#endif
