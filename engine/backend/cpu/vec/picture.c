#include "engine/backend/cpu/vec/vec_members.h"

/* Pixels whose sums are in registers at a time; the last few go one by one. */
enum { TILE = 16 };

VEC_INLINE void finish(const struct vec_picture *it, size_t at, vec_f32 y, bool bf16) {
    vec_put(it->y, at, vec_activate(it->act, y), bf16);
}

/* count pixels whose windows begin step numbers from one to the next. */
VEC_INLINE void tile(const struct vec_picture *it, const float *x, size_t y_at, int count, int step,
                     bool bf16) {
    vec_f32 sum[TILE];
    const vec_f32 bias = vec_load(it->bias);
    const float *weight = it->weight;
    for (int i = 0; i < count; i++)
        sum[i] = bias;
    for (int line = 0; line < it->lines; line++, x += it->row)
        for (int k = 0; k < it->line; k++, weight += VEC_LANES) {
            const vec_f32 w = vec_load(weight);
            for (int i = 0; i < count; i++)
                sum[i] += x[i * step + k] * w;
        }
    for (int i = 0; i < count; i++)
        finish(it, y_at + (size_t)i * VEC_LANES, sum[i], bf16);
}

VEC_INLINE void pixels(const struct vec_picture *it, size_t y_at, int count, int step, bool bf16) {
    const float *x = it->x;
    int i = 0;
    for (; i + TILE <= count; i += TILE, x += TILE * step, y_at += TILE * VEC_LANES)
        tile(it, x, y_at, TILE, step, bf16);
    for (; i < count; i++, x += step, y_at += VEC_LANES)
        tile(it, x, y_at, 1, step, bf16);
}

/* Steps of three channels are known to the compiler. */
VEC_INLINE void picture(const struct vec_picture *it, size_t y_at, int count, bool bf16) {
    if (it->step == 3)
        pixels(it, y_at, count, 3, bf16);
    else if (it->step == 6)
        pixels(it, y_at, count, 6, bf16);
    else
        pixels(it, y_at, count, it->step, bf16);
}

#define INSTANCE(type, bf16)                                                                       \
    void VEC(picture_##type)(const struct vec_picture *it, size_t y_at, int count) {               \
        picture(it, y_at, count, bf16);                                                            \
    }

INSTANCE(f32, false)
INSTANCE(bf16, true)
