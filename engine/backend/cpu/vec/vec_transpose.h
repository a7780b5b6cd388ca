/*
 * vec_transpose.h - squares of numbers turned round; for the files of this folder only.
 */
#ifndef ENGINE_BACKEND_CPU_VEC_VEC_TRANSPOSE_H
#define ENGINE_BACKEND_CPU_VEC_VEC_TRANSPOSE_H

#include "engine/backend/cpu/vec/vec_internal.h"

/* Lanes of two vectors put together; the compilers' ways to say it differ. */
#ifdef __clang__
#define VEC_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define VEC_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vec_i32){__VA_ARGS__})
#endif

/* The lower or the upper halves of two vectors, lane by lane in turn. */
#define VEC_LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define VEC_HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define VEC_LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define VEC_HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define VEC_LOW VEC_JOIN(VEC_LOW, VEC_LANES)
#define VEC_HIGH VEC_JOIN(VEC_HIGH, VEC_LANES)

/* Columns become rows. Rows i and i + lanes / 2 laid in turn into two move the top bit of a
 * number's row to the bottom of its lane: after a round for each bit, row and lane have changed
 * places. */
VEC_INLINE void vec_transpose(vec_f32 row[VEC_LANES]) {
    vec_f32 next[VEC_LANES];
    for (int round = 1; round < VEC_LANES; round *= 2) {
        for (int i = 0; i < VEC_LANES / 2; i++) {
            const vec_f32 a = row[i], b = row[i + VEC_LANES / 2];
            next[2 * i] = VEC_SHUFFLE(a, b, VEC_LOW);
            next[2 * i + 1] = VEC_SHUFFLE(a, b, VEC_HIGH);
        }
        memcpy(row, next, sizeof next);
    }
}

#endif
