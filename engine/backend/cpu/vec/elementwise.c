#include "engine/backend/cpu/vec/vec_members.h"

VEC_INLINE void add(const void *a, const void *b, void *y, size_t at, size_t n, bool bf16) {
    for (size_t i = at; i < at + n; i += VEC_LANES)
        vec_put(y, i, vec_get(a, i, bf16) + vec_get(b, i, bf16), bf16);
}

VEC_INLINE void pool_mean(const void *x, size_t at, size_t n, float *mean, bool bf16) {
    enum { STRETCH = 64 * VEC_LANES };
    double sums[VEC_LANES] = {0};
    for (size_t i = at, end = at + n; i < end;) {
        vec_f32 sum = {0};
        for (size_t stop = end - i < STRETCH ? end : i + STRETCH; i < stop; i += VEC_LANES)
            sum += vec_get(x, i, bf16);
        vec_add_to(sums, sum);
    }
    for (int lane = 0; lane < VEC_LANES; lane++)
        mean[lane] = (float)(sums[lane] * VEC_LANES / (double)n);
}

VEC_INLINE void pool_fill(void *x, size_t at, size_t n, const float *value, bool bf16) {
    const vec_f32 v = vec_load(value);
    for (size_t i = at; i < at + n; i += VEC_LANES)
        vec_put(x, i, v, bf16);
}

VEC_INLINE void pixels_in(const struct vec_pixels *pixels, void *x, size_t at, size_t n, bool bf16,
                          bool pixels_bf16) {
    const size_t channels = (size_t)pixels->channels;
    size_t pixel = 0;
    for (size_t i = at; i < at + n; i += VEC_LANES, pixel += channels)
        vec_put(x, i, vec_get_part(pixels->first, pixel, pixels->width, pixels_bf16), bf16);
}

VEC_INLINE void pixels_out(const struct vec_pixels *pixels, const void *x, size_t at, size_t n,
                           bool bf16, bool pixels_bf16) {
    const size_t channels = (size_t)pixels->channels;
    size_t pixel = 0;
    for (size_t i = at; i < at + n; i += VEC_LANES, pixel += channels)
        vec_put_part(pixels->first, pixel, vec_get(x, i, bf16), pixels->width, pixels_bf16);
}

VEC_INLINE void block_in(const struct vec_pixels *pixels, void *x, size_t at, size_t n, bool bf16) {
    if (pixels->bf16)
        pixels_in(pixels, x, at, n, bf16, true);
    else
        pixels_in(pixels, x, at, n, bf16, false);
}

VEC_INLINE void block_out(const struct vec_pixels *pixels, const void *x, size_t at, size_t n,
                          bool bf16) {
    if (pixels->bf16)
        pixels_out(pixels, x, at, n, bf16, true);
    else
        pixels_out(pixels, x, at, n, bf16, false);
}

#define INSTANCE(type, bf16)                                                                       \
    void VEC(add_##type)(const void *a, const void *b, void *y, size_t at, size_t n) {             \
        add(a, b, y, at, n, bf16);                                                                 \
    }                                                                                              \
    void VEC(pool_mean_##type)(const void *x, size_t at, size_t n, float *mean) {                  \
        pool_mean(x, at, n, mean, bf16);                                                           \
    }                                                                                              \
    void VEC(pool_fill_##type)(void *x, size_t at, size_t n, const float *value) {                 \
        pool_fill(x, at, n, value, bf16);                                                          \
    }                                                                                              \
    void VEC(block_in_##type)(const struct vec_pixels *pixels, void *x, size_t at, size_t n) {     \
        block_in(pixels, x, at, n, bf16);                                                          \
    }                                                                                              \
    void VEC(block_out_##type)(const struct vec_pixels *pixels, const void *x, size_t at,          \
                               size_t n) {                                                         \
        block_out(pixels, x, at, n, bf16);                                                         \
    }

INSTANCE(f32, false)
INSTANCE(bf16, true)
