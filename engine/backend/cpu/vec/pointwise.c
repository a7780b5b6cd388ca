#include "engine/backend/cpu/vec/vec_members.h"

/* Pixels whose sums are in registers at a time; the last few pixels go one by one. */
enum { TILE = VEC_LANES, FEW = 4 };

VEC_INLINE void finish(const struct vec_pointwise *it, size_t at, vec_f32 y, bool bf16) {
    if (it->residual)
        y += vec_get(it->residual, at, bf16);
    vec_put(it->y, at, vec_activate(it->act, y), bf16);
}

/* count pixels from the one at number x_at of each plane of x and y_at of y. */
VEC_INLINE void tile(const struct vec_pointwise *it, size_t x_at, size_t y_at, int count,
                     bool bf16) {
    vec_f32 sum[TILE];
    const vec_f32 bias = it->bias ? vec_load(it->bias) : vec_set(0);
    const float *weight = it->weight;
    for (int i = 0; i < count; i++)
        sum[i] = bias;
    for (int c = it->first; c < it->last;) {
        const float *x = it->x + (size_t)(c / VEC_LANES) * it->x_block + x_at + c % VEC_LANES;
        int stop = c - c % VEC_LANES + VEC_LANES;
        for (stop = stop < it->last ? stop : it->last; c < stop; c++, x++, weight += VEC_LANES) {
            const vec_f32 w = vec_load(weight);
            for (int i = 0; i < count; i++)
                sum[i] += x[i * VEC_LANES] * w;
        }
    }
    for (int i = 0; i < count; i++)
        finish(it, y_at + (size_t)i * VEC_LANES, sum[i], bf16);
}

VEC_INLINE void pointwise(const struct vec_pointwise *it, size_t y_at, int pixels, bool bf16) {
    int i = 0;
    for (; i + TILE <= pixels; i += TILE)
        tile(it, (size_t)i * VEC_LANES, y_at + (size_t)i * VEC_LANES, TILE, bf16);
    for (; i + FEW <= pixels; i += FEW)
        tile(it, (size_t)i * VEC_LANES, y_at + (size_t)i * VEC_LANES, FEW, bf16);
    for (; i < pixels; i++)
        tile(it, (size_t)i * VEC_LANES, y_at + (size_t)i * VEC_LANES, 1, bf16);
}

VEC_INLINE void products(const struct vec_products *it, float *sums, bool bf16) {
    vec_f32 sum[VEC_LANES];
    float pixel[VEC_LANES];
    for (int c = 0; c < VEC_LANES; c++)
        sum[c] = vec_load(sums + c * VEC_LANES);
    for (size_t i = 0; i < it->n; i += VEC_LANES) {
        const vec_f32 g = vec_get(it->dy, it->dy_at + i, bf16);
        const float *lane = bf16 ? pixel : (const float *)it->x + it->x_at + i;
        if (bf16)
            vec_store(pixel, vec_get(it->x, it->x_at + i, bf16));
        for (int c = 0; c < VEC_LANES; c++)
            sum[c] += lane[c] * g;
    }
    for (int c = 0; c < VEC_LANES; c++)
        vec_store(sums + c * VEC_LANES, sum[c]);
}

#define INSTANCE(type, bf16)                                                                       \
    void VEC(pointwise_##type)(const struct vec_pointwise *it, size_t y_at, int pixels) {          \
        pointwise(it, y_at, pixels, bf16);                                                         \
    }                                                                                              \
    void VEC(pointwise_dw_##type)(const struct vec_products *it, float *sums) {                    \
        products(it, sums, bf16);                                                                  \
    }

INSTANCE(f32, false)
INSTANCE(bf16, true)
