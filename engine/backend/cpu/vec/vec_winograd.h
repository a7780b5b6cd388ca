/*
 * vec_winograd.h - the transforms of Winograd's F(4x4, 3x3), with stride 1 or 2, for a block of
 * channels.
 *
 * A form is what a tile or a window of weights is made into: vectors in a square, step numbers from
 * one to the next. Outputs are sums over channels of products of forms, vector by vector. With
 * stride 2 the form of a tile has more vectors than that of weights: all behind the last row or
 * column of weights meet that one.
 */
#ifndef ENGINE_BACKEND_CPU_VEC_VEC_WINOGRAD_H
#define ENGINE_BACKEND_CPU_VEC_VEC_WINOGRAD_H

#include "engine/graph/op_attr.h"

#include <stddef.h>

enum {
    WINOGRAD_SIDE = 4, /* of a tile of outputs */
    WINOGRAD_TAPS = 6,
    WINOGRAD_NUMBERS = 36, /* side and vectors of weights' forms */
    WINOGRAD_TAPS_2 = 9,
    WINOGRAD_NUMBERS_2 = 81 /* of tiles' forms with stride 2 */
};

/* A tile of a plane of h x w pixels that begins at number at. */
struct vec_tile {
    const void *x; /* tile_in: x, with the pixels around the tile; tile_spread: dy */
    size_t at;
    int h, w, row, column; /* the tile's first pixel; those beyond the plane are zeros */
    float *form;           /* tile_in, tile_spread: written; tile_out: sums of products, read */
    size_t step;
    void *y; /* tile_out: y = act(the form's pixels + bias + residual) */
    const void *residual;
    const float *bias; /* [lanes] */
    enum activation act;
};

typedef void vec_tile_fn(const struct vec_tile *tile);

/* Weights [outputs][3][3][channels]: taps_in makes forms of those from channels c.. to outputs k..
 * of a block each, channel by channel with the outputs as lanes (turned: output by output with the
 * channels as lanes, and the window turned round); taps_out makes weights of forms. */
struct vec_taps {
    const float *weight; /* taps_in */
    float *dweight;      /* taps_out */
    int outputs, channels;
    bool turned;
    float *form; /* of the first pair */
    size_t step;
    int forms; /* taps_out: of each pair, which are added up; they are next numbers apart */
    size_t next;
};

typedef void vec_taps_fn(const struct vec_taps *taps, int k, int c);

#endif
