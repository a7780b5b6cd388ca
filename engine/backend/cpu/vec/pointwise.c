#include "engine/backend/cpu/vec/vec_members.h"

/* Pixels whose sums are in registers at a time; the last few pixels go one by one. */
enum { TILE = VEC_LANES, FEW = 4 };

VEC_INLINE void finish(const struct vec_pointwise *it, size_t at, vec_f32 y, bool bf16) {
    if (it->residual)
        y += vec_get(it->residual, at, bf16);
    vec_put(it->y, at, vec_activate(it->act, y), bf16);
}

/* sum[pixel] += a channel of x, or in bf16 a pair of channels, times its weights. */
VEC_INLINE void add_channel(vec_f32 *sum, const float *x, const float *weight, int count) {
    const vec_f32 w = vec_load(weight);
    for (int i = 0; i < count; i++)
        sum[i] += x[i * VEC_LANES] * w;
}

VEC_INLINE void add_pair(vec_f32 *sum, const uint16_t *x, const uint16_t *weight, int count) {
    vec_u32 w;
    uint32_t pair;
    memcpy(&w, weight, sizeof w);
    for (int i = 0; i < count; i++) {
        memcpy(&pair, x + i * VEC_LANES, sizeof pair);
        sum[i] = vec_dot(sum[i], (vec_u32){0} + pair, w);
    }
}

/* Sums of all channels for count pixels from the one at number x_at of each plane of x. */
VEC_INLINE void add_f32(vec_f32 *sum, const struct vec_pointwise *it, size_t x_at, int count) {
    const float *weight = it->weight;
    for (int c = it->first; c < it->last;) {
        const float *x =
            (const float *)it->x + (size_t)(c / VEC_LANES) * it->x_block + x_at + c % VEC_LANES;
        int stop = c - c % VEC_LANES + VEC_LANES;
        for (stop = stop < it->last ? stop : it->last; c < stop; c++, x++, weight += VEC_LANES)
            add_channel(sum, x, weight, count);
    }
}

VEC_INLINE void add_bf16(vec_f32 *sum, const struct vec_pointwise *it, size_t x_at, int count) {
    const uint16_t *weight = it->weight;
    for (int c = it->first; c < it->last;) {
        const uint16_t *x =
            (const uint16_t *)it->x + (size_t)(c / VEC_LANES) * it->x_block + x_at + c % VEC_LANES;
        int stop = c - c % VEC_LANES + VEC_LANES;
        for (stop = stop < it->last ? stop : it->last; c < stop; c += 2, x += 2) {
            add_pair(sum, x, weight, count);
            weight += 2 * VEC_LANES;
        }
    }
}

#define TILE_OF(type, is_bf16)                                                                     \
    VEC_INLINE void tile_##type(const struct vec_pointwise *it, size_t x_at, size_t y_at,          \
                                int count) {                                                       \
        vec_f32 sum[TILE];                                                                         \
        const vec_f32 bias = it->bias ? vec_load(it->bias) : vec_set(0);                           \
        for (int i = 0; i < count; i++)                                                            \
            sum[i] = bias;                                                                         \
        add_##type(sum, it, x_at, count);                                                          \
        for (int i = 0; i < count; i++)                                                            \
            finish(it, y_at + (size_t)i * VEC_LANES, sum[i], is_bf16);                             \
    }                                                                                              \
                                                                                                   \
    void VEC(pointwise_##type)(const struct vec_pointwise *it, size_t y_at, int pixels) {          \
        size_t i = 0, end = (size_t)pixels * VEC_LANES;                                            \
        for (; i + TILE * VEC_LANES <= end; i += TILE * VEC_LANES)                                 \
            tile_##type(it, i, y_at + i, TILE);                                                    \
        for (; i + FEW * VEC_LANES <= end; i += FEW * VEC_LANES)                                   \
            tile_##type(it, i, y_at + i, FEW);                                                     \
        for (; i < end; i += VEC_LANES)                                                            \
            tile_##type(it, i, y_at + i, 1);                                                       \
    }

TILE_OF(f32, false)
TILE_OF(bf16, true)

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
    void VEC(pointwise_dw_##type)(const struct vec_products *it, float *sums) {                    \
        products(it, sums, bf16);                                                                  \
    }

INSTANCE(f32, false)
INSTANCE(bf16, true)
