/*
 * vec_internal.h - vectors of the instruction set this file is being compiled for; for the files
 * of this folder only.
 *
 * The build gives VEC_ISA, a suffix for all names, and VEC_LANES. Vectors are GCC's, which clang
 * has too: arithmetic is written with operators and works for any number of lanes.
 */
#ifndef ENGINE_BACKEND_CPU_VEC_VEC_INTERNAL_H
#define ENGINE_BACKEND_CPU_VEC_VEC_INTERNAL_H

#include "engine/backend/cpu/vec/vec.h"

#include <string.h>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#define VEC_JOIN_(name, isa) name##_##isa
#define VEC_JOIN(name, isa) VEC_JOIN_(name, isa)
#define VEC(name) VEC_JOIN(name, VEC_ISA)
#define VEC_TEXT_(isa) #isa
#define VEC_TEXT(isa) VEC_TEXT_(isa)
#define VEC_INLINE static inline __attribute__((always_inline))

typedef float vec_f32 __attribute__((vector_size(4 * VEC_LANES)));
typedef int32_t vec_i32 __attribute__((vector_size(4 * VEC_LANES)));
typedef uint32_t vec_u32 __attribute__((vector_size(4 * VEC_LANES)));
typedef uint16_t vec_u16 __attribute__((vector_size(2 * VEC_LANES)));

VEC_INLINE vec_f32 vec_set(float value) {
    return (vec_f32){0} + value;
}

VEC_INLINE vec_f32 vec_load(const float *from) {
    vec_f32 v;
    memcpy(&v, from, sizeof v);
    return v;
}

VEC_INLINE void vec_store(float *to, vec_f32 v) {
    memcpy(to, &v, sizeof v);
}

/* Lanes beyond count hold fill. */
VEC_INLINE vec_f32 vec_load_part(const float *from, int count, float fill) {
    vec_f32 v = vec_set(fill);
    memcpy(&v, from, (size_t)count * sizeof *from);
    return v;
}

VEC_INLINE void vec_store_part(float *to, vec_f32 v, int count) {
    memcpy(to, &v, (size_t)count * sizeof *to);
}

/* a where mask is set, else b. */
VEC_INLINE vec_f32 vec_select(vec_i32 mask, vec_f32 a, vec_f32 b) {
    return (vec_f32)(((vec_i32)a & mask) | ((vec_i32)b & ~mask));
}

VEC_INLINE vec_f32 vec_keep(vec_i32 mask, vec_f32 a) {
    return (vec_f32)((vec_i32)a & mask);
}

/* The larger; b where one is not a number. */
VEC_INLINE vec_f32 vec_max(vec_f32 a, vec_f32 b) {
    return vec_select(a > b, a, b);
}

/* What is not a number stays so: a fault must not be hidden. */
VEC_INLINE vec_f32 vec_activate(enum activation act, vec_f32 y) {
    if (act == ACT_RELU6)
        y = vec_select(y > vec_set(RELU6_TOP), vec_set(RELU6_TOP), y);
    return act == ACT_NONE ? y : (vec_f32)((vec_i32)y & ~(y < vec_set(0)));
}

/* The gradient behind an activation that is not ACT_NONE, at its input or output y. */
VEC_INLINE vec_f32 vec_pass(enum activation act, vec_f32 y, vec_f32 gradient) {
    if (act == ACT_RELU6)
        gradient = vec_keep(y < vec_set(RELU6_TOP), gradient);
    return vec_keep(y > vec_set(0), gradient);
}

/* Number i of f32 or bf16 memory. */
VEC_INLINE vec_f32 vec_get(const void *from, size_t i, bool bf16) {
    if (!bf16)
        return vec_load((const float *)from + i);
    vec_u16 half;
    memcpy(&half, (const uint16_t *)from + i, sizeof half);
    return (vec_f32)(__builtin_convertvector(half, vec_u32) << 16);
}

/* To the nearest bf16, to even between two; what is not a number stays so. And sum + a b, where
 * each lane of a and b is two bf16 numbers. */
#ifdef __AVX512BF16__
/* The instructions take numbers below the smallest normal one for zero. */
VEC_INLINE vec_u16 vec_round(vec_f32 v) {
    return (vec_u16)_mm512_cvtneps_pbh((__m512)v);
}

VEC_INLINE vec_f32 vec_dot(vec_f32 sum, vec_u32 a, vec_u32 b) {
    return (vec_f32)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}
#else
VEC_INLINE vec_u16 vec_round(vec_f32 v) {
    vec_u32 bits = (vec_u32)v, rounded = bits + 0x7fff + ((bits >> 16) & 1);
    vec_u32 nan = (vec_u32)((bits & 0x7fffffff) > 0x7f800000);
    bits = (rounded & ~nan) | ((bits | 0x400000) & nan);
    return __builtin_convertvector(bits >> 16, vec_u16);
}

VEC_INLINE vec_f32 vec_dot(vec_f32 sum, vec_u32 a, vec_u32 b) {
    sum += (vec_f32)(a << 16) * (vec_f32)(b << 16);
    return sum + (vec_f32)(a & 0xffff0000) * (vec_f32)(b & 0xffff0000);
}
#endif

/* Two bf16 numbers in each lane. */
VEC_INLINE vec_f32 vec_pairs(vec_f32 low, vec_f32 high) {
    vec_u32 first = __builtin_convertvector(vec_round(low), vec_u32);
    return (vec_f32)(first | (__builtin_convertvector(vec_round(high), vec_u32) << 16));
}

VEC_INLINE void vec_put(void *to, size_t i, vec_f32 v, bool bf16) {
    if (!bf16) {
        vec_store((float *)to + i, v);
        return;
    }
    vec_u16 half = vec_round(v);
    memcpy((uint16_t *)to + i, &half, sizeof half);
}

/* The same of the first width numbers; the other lanes hold zero, and are not written. */
VEC_INLINE vec_f32 vec_get_part(const void *from, size_t i, int width, bool bf16) {
    if (width == VEC_LANES)
        return vec_get(from, i, bf16);
    if (!bf16)
        return vec_load_part((const float *)from + i, width, 0);
    uint16_t half[VEC_LANES] = {0};
    memcpy(half, (const uint16_t *)from + i, (size_t)width * sizeof *half);
    return vec_get(half, 0, true);
}

VEC_INLINE void vec_put_part(void *to, size_t i, vec_f32 v, int width, bool bf16) {
    if (width == VEC_LANES) {
        vec_put(to, i, v, bf16);
    } else if (!bf16) {
        vec_store_part((float *)to + i, v, width);
    } else {
        uint16_t half[VEC_LANES];
        vec_put(half, 0, v, true);
        memcpy((uint16_t *)to + i, half, (size_t)width * sizeof *half);
    }
}

/* Lanes of the vector that begins at i of n numbers. */
VEC_INLINE int vec_width(size_t i, size_t n) {
    return n - i < VEC_LANES ? (int)(n - i) : VEC_LANES;
}

/* Set in the lanes from width on. */
VEC_INLINE vec_i32 vec_beyond(int width) {
    vec_i32 v;
    for (int lane = 0; lane < VEC_LANES; lane++)
        v[lane] = lane < width ? 0 : -1;
    return v;
}

/* sums[lane] += v[lane]. */
VEC_INLINE void vec_add_to(double *sums, vec_f32 v) {
    for (int lane = 0; lane < VEC_LANES; lane++)
        sums[lane] += (double)v[lane];
}

/* e^x for x up to 88, with an error of one rounding; 0 below the smallest normal number. */
VEC_INLINE vec_f32 vec_exp(vec_f32 x) {
    const float round = 12582912; /* 1.5 * 2^23: the sum's low bits are the nearest integer */
    vec_f32 shifted = x * 1.44269504f + round, n = shifted - round;
    vec_f32 r = x - n * 0.693359375f + n * 2.12194440e-4f;
    vec_f32 q = vec_set(1.38145394e-3f);
    q = q * r + 8.36874545e-3f;
    q = q * r + 4.16683890e-2f;
    q = q * r + 0.166665211f;
    q = q * r + 0.49999994f;
    vec_f32 e = (r * r * q + r) + 1;
    e = (vec_f32)((vec_u32)e + ((vec_u32)shifted << 23));
    return (vec_f32)((vec_i32)e & ~(x < vec_set(-87.33654f)));
}

#include "engine/backend/cpu/vec/vec_shuffle.h"

#endif
