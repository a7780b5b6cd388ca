#include "engine/backend/cpu/vec/vec_members.h"

#include <math.h>

/* The part of a window that lies inside of the plane. */
struct window {
    int h, h_end, w, w_end;
};

static struct window window_at(const struct vec_pool *it, int h, int w) {
    int top = h * it->stride - it->pad, left = w * it->stride - it->pad;
    int bottom = top + it->kernel, right = left + it->kernel;
    return (struct window){top < 0 ? 0 : top, bottom > it->h ? it->h : bottom, left < 0 ? 0 : left,
                           right > it->w ? it->w : right};
}

VEC_INLINE size_t pixel_at(const struct vec_pool *it, int h, int w) {
    return ((size_t)h * (size_t)it->w + (size_t)w) * VEC_LANES;
}

/* The first largest element of each lane, or the last that is no number; place: its pixel. */
VEC_INLINE vec_f32 largest(const struct vec_pool *it, size_t at, const struct window *window,
                           vec_i32 *place, bool bf16) {
    vec_f32 best = vec_get(it->x, at + pixel_at(it, window->h, window->w), bf16);
    vec_i32 found = (vec_i32){0} + (window->h * it->w + window->w);
    for (int h = window->h; h < window->h_end; h++)
        for (int w = window->w; w < window->w_end; w++) {
            vec_f32 v = vec_get(it->x, at + pixel_at(it, h, w), bf16);
            vec_i32 better = (v > best) | ~(v <= vec_set(INFINITY)); /* or no number */
            best = vec_select(better, v, best);
            found = (((vec_i32){0} + (h * it->w + w)) & better) | (found & ~better);
        }
    *place = found;
    return best;
}

VEC_INLINE vec_f32 mean(const struct vec_pool *it, size_t at, const struct window *window,
                        bool bf16) {
    vec_f32 sum = {0};
    for (int h = window->h; h < window->h_end; h++)
        for (int w = window->w; w < window->w_end; w++)
            sum += vec_get(it->x, at + pixel_at(it, h, w), bf16);
    return sum / vec_set((float)(it->kernel * it->kernel));
}

VEC_INLINE void pool(const struct vec_pool *pool, size_t x_at, size_t y_at, bool bf16) {
    const struct vec_pool it = *pool;
    vec_i32 place;
    for (int h = 0; h < it.y_h; h++)
        for (int w = 0; w < it.y_w; w++, y_at += VEC_LANES) {
            struct window window = window_at(&it, h, w);
            vec_put(it.y, y_at,
                    it.average ? mean(&it, x_at, &window, bf16)
                               : largest(&it, x_at, &window, &place, bf16),
                    bf16);
        }
}

VEC_INLINE void spread_mean(const struct vec_pool *it, const struct window *window, vec_f32 dy) {
    vec_f32 each = dy / vec_set((float)(it->kernel * it->kernel));
    for (int h = window->h; h < window->h_end; h++)
        for (int w = window->w; w < window->w_end; w++) {
            float *sum = it->sum + pixel_at(it, h, w);
            vec_store(sum, vec_load(sum) + each);
        }
}

VEC_INLINE void spread_largest(const struct vec_pool *it, size_t at, const struct window *window,
                               vec_f32 dy, bool bf16) {
    vec_i32 place;
    largest(it, at, window, &place, bf16);
    for (int h = window->h; h < window->h_end; h++)
        for (int w = window->w; w < window->w_end; w++) {
            float *sum = it->sum + pixel_at(it, h, w);
            vec_i32 here = place == (vec_i32){0} + (h * it->w + w);
            vec_store(sum, vec_load(sum) + vec_keep(here, dy));
        }
}

/* Windows may overlap: gradients are added up in f32 before they are stored. */
VEC_INLINE void pool_dx(const struct vec_pool *pool, size_t x_at, size_t y_at, bool bf16) {
    const struct vec_pool it = *pool;
    size_t plane = (size_t)it.h * (size_t)it.w * VEC_LANES;
    memset(it.sum, 0, plane * sizeof *it.sum);
    for (int h = 0; h < it.y_h; h++)
        for (int w = 0; w < it.y_w; w++, y_at += VEC_LANES) {
            struct window window = window_at(&it, h, w);
            vec_f32 dy = vec_get(it.dy, y_at, bf16);
            if (it.average)
                spread_mean(&it, &window, dy);
            else
                spread_largest(&it, x_at, &window, dy, bf16);
        }
    for (size_t i = 0; i < plane; i += VEC_LANES)
        vec_put(it.dx, x_at + i, vec_load(it.sum + i), bf16);
}

#define INSTANCE(type, bf16)                                                                       \
    void VEC(pool_##type)(const struct vec_pool *it, size_t x_at, size_t y_at) {                   \
        pool(it, x_at, y_at, bf16);                                                                \
    }                                                                                              \
    void VEC(pool_dx_##type)(const struct vec_pool *it, size_t x_at, size_t y_at) {                \
        pool_dx(it, x_at, y_at, bf16);                                                             \
    }

INSTANCE(f32, false)
INSTANCE(bf16, true)
