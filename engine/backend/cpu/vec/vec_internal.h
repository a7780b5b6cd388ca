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

/* Rounds to nearest even; what is not a number stays so. */
VEC_INLINE void vec_put(void *to, size_t i, vec_f32 v, bool bf16) {
    if (!bf16) {
        vec_store((float *)to + i, v);
        return;
    }
    vec_u32 bits = (vec_u32)v, rounded = bits + 0x7fff + ((bits >> 16) & 1);
    vec_u32 nan = (vec_u32)((bits & 0x7fffffff) > 0x7f800000);
    bits = (rounded & ~nan) | ((bits | 0x400000) & nan);
    vec_u16 half = __builtin_convertvector(bits >> 16, vec_u16);
    memcpy((uint16_t *)to + i, &half, sizeof half);
}

VEC_INLINE float vec_sum(vec_f32 v) {
    float sum = 0;
    for (int lane = 0; lane < VEC_LANES; lane++)
        sum += v[lane];
    return sum;
}

/* sums[lane] += v[lane]. */
VEC_INLINE void vec_add_to(double *sums, vec_f32 v) {
    for (int lane = 0; lane < VEC_LANES; lane++)
        sums[lane] += (double)v[lane];
}

/* The members of struct vec_kernels, one instance for each instruction set. */
#define VEC_BOTH(name, ...)                                                                        \
    void VEC(name##_f32)(__VA_ARGS__);                                                             \
    void VEC(name##_bf16)(__VA_ARGS__)

VEC_BOTH(norm_moments, const void *x, size_t at, size_t n, const float *shift, double *sums);
VEC_BOTH(norm_apply, const struct vec_norm *norm, size_t at, size_t n, int channel);
VEC_BOTH(norm_gradient, const struct vec_norm *norm, size_t at, size_t n, int channel,
         double *sums);
VEC_BOTH(norm_dx, const struct vec_norm *norm, size_t at, size_t n, int channel);
VEC_BOTH(add, const void *a, const void *b, void *y, size_t at, size_t n);
VEC_BOTH(pool_mean, const void *x, size_t at, size_t n, float *mean);
VEC_BOTH(pool_fill, void *x, size_t at, size_t n, const float *value);
VEC_BOTH(pool, const struct vec_pool *it, size_t x_at, size_t y_at);
VEC_BOTH(pool_dx, const struct vec_pool *it, size_t x_at, size_t y_at);
VEC_BOTH(block_in, const struct vec_pixels *pixels, void *x, size_t at, size_t n);
VEC_BOTH(block_out, const struct vec_pixels *pixels, const void *x, size_t at, size_t n);
VEC_BOTH(pointwise, const struct vec_pointwise *it, size_t y_at, int pixels);
VEC_BOTH(pointwise_dw, const struct vec_products *it, float *sums);
void VEC(product)(const struct vec_product *product, int i, int i_end, int j, int j_end);
void VEC(product_by_dot)(const struct vec_product *product, int i, int i_end, int j, int j_end);
void VEC(column_sums)(const float *x, int rows, size_t stride, float *sum, int n);
void VEC(loss)(const struct vec_loss *loss, int begin, int end, float *scratch);
void VEC(sgd)(const struct vec_sgd *sgd, size_t begin, size_t end);
extern const struct vec_kernels VEC(vec);

#endif
