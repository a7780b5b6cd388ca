/*
 * drop_path.h - which residual branches of which pictures a step leaves out (stochastic depth).
 *
 * The definition that all backends share. A draw depends on the seed, the step, the branch and the
 * picture's place in the batch.
 *
 * Threads: a pure function. Header only, because CUDA kernels include it too.
 */
#ifndef ENGINE_GRAPH_DROP_PATH_H
#define ENGINE_GRAPH_DROP_PATH_H

#include "engine/base/rng.h"

/* What the branch is multiplied by: 0 with probability drop, else 1 / (1 - drop). */
RNG_FUNCTION float drop_path_keep(uint64_t seed, uint64_t step, int layer, int picture,
                                  float drop) {
    if (drop <= 0)
        return 1;
    struct rng_block block =
        rng_philox(seed, (uint32_t)picture, (uint32_t)step, RNG_DROP_PATH, (uint32_t)layer);
    return rng_unit(block.word[0]) < drop ? 0.0f : 1 / (1 - drop);
}

#endif
