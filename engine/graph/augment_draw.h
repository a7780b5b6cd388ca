/*
 * augment_draw.h - where the crop of a picture lies and whether it is mirrored.
 *
 * The definition that all backends share: with dy, dx and flip of a draw and zero padding p, for a
 * picture of height h and width w,
 *
 *     y[r][c] = x[r + dy - p][m(c) + dx - p],  0 outside of x;  m(c) = flip ? w - 1 - c : c
 *
 * A draw depends on the seed, the epoch and the picture's index in the data set, never on its place
 * in the batch.
 *
 * Threads: a pure function. Header only, because CUDA kernels include it too.
 */
#ifndef ENGINE_GRAPH_AUGMENT_DRAW_H
#define ENGINE_GRAPH_AUGMENT_DRAW_H

#include "engine/base/rng.h"

struct augment_draw {
    int dy, dx; /* 0..2p */
    int flip;   /* 0 or 1 */
};

/* The draw of one picture in one epoch; flip says whether mirroring is enabled. */
RNG_FUNCTION struct augment_draw augment_draw(uint64_t data_seed, uint32_t index, uint32_t epoch,
                                              int padding, int flip) {
    struct rng_block block = rng_philox(data_seed, index, epoch, RNG_AUGMENT, 0);
    uint32_t offsets = 2 * (uint32_t)padding + 1;
    struct augment_draw draw;
    draw.dy = (int)rng_below(block.word[0], offsets);
    draw.dx = (int)rng_below(block.word[1], offsets);
    draw.flip = flip ? (int)(block.word[2] & 1) : 0;
    return draw;
}

#endif
