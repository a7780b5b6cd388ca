/*
 * clip.h - the factor of clip_norm, which all backends share. Header only, because CUDA kernels
 * include it too.
 *
 * Threads: a pure function.
 */
#ifndef ENGINE_BACKEND_CLIP_H
#define ENGINE_BACKEND_CLIP_H

#include "engine/base/rng.h"

#include <math.h>

/* For a sum of squares, as torch.nn.utils.clip_grad_norm_ does; what is not a number stays so. */
RNG_FUNCTION float clip_factor(double max_norm, double squares) {
    double factor = max_norm / (sqrt(squares) + 1e-6);
    return factor > 1 ? 1 : (float)factor;
}

#endif
