#include "engine/backend/cpu/vec/vec_members.h"

/* Sums in f32 run over at most this many vectors before they go on in double. */
enum { STRETCH = 64 * VEC_LANES };

static size_t stretch_end(size_t begin, size_t end) {
    return end - begin < STRETCH ? end : begin + STRETCH;
}

VEC_INLINE void moments(const void *x, size_t at, size_t n, const float *shift, double *sums,
                        bool bf16) {
    const vec_f32 origin = vec_load(shift);
    for (size_t i = at, end = at + n; i < end;) {
        vec_f32 sum = {0}, square = {0};
        for (size_t stop = stretch_end(i, end); i < stop; i += VEC_LANES) {
            vec_f32 v = vec_get(x, i, bf16) - origin;
            sum += v;
            square += v * v;
        }
        vec_add_to(sums, sum);
        vec_add_to(sums + VEC_LANES, square);
    }
}

VEC_INLINE void apply(const struct vec_norm *norm, size_t at, size_t n, int channel, bool bf16) {
    const vec_f32 mean = vec_load(norm->mean + channel), scale = vec_load(norm->scale + channel),
                  beta = vec_load(norm->beta + channel);
    const struct vec_norm it = *norm;
    for (size_t i = at; i < at + n; i += VEC_LANES) {
        vec_f32 v = (vec_get(it.x, i, bf16) - mean) * scale + beta;
        if (it.residual)
            v += vec_get(it.residual, i, bf16);
        vec_put(it.y, i, vec_activate(it.act, v), bf16);
    }
}

/* The gradient behind the activation. x is centred. */
VEC_INLINE vec_f32 incoming(const struct vec_norm *it, size_t i, vec_f32 x, vec_f32 scale,
                            vec_f32 beta, bool bf16) {
    vec_f32 g = vec_get(it->dy, i, bf16);
    if (it->dy2)
        g += vec_get(it->dy2, i, bf16);
    if (it->gate == VEC_GATE_OF_Y)
        g = vec_pass(it->act, vec_get(it->y, i, bf16), g);
    if (it->gate == VEC_GATE_OF_X)
        g = vec_pass(it->act, x * scale + beta, g);
    return g;
}

VEC_INLINE void gradient(const struct vec_norm *norm, size_t at, size_t n, int channel,
                         double *sums, bool bf16) {
    const vec_f32 mean = vec_load(norm->mean + channel), scale = vec_load(norm->scale + channel),
                  beta = vec_load(norm->beta + channel);
    const struct vec_norm it = *norm;
    for (size_t i = at, end = at + n; i < end;) {
        vec_f32 sum = {0}, product = {0};
        for (size_t stop = stretch_end(i, end); i < stop; i += VEC_LANES) {
            vec_f32 x = vec_get(it.x, i, bf16) - mean, g = incoming(&it, i, x, scale, beta, bf16);
            if (it.dresidual)
                vec_put(it.dresidual, i, g, bf16);
            sum += g;
            product += g * x;
        }
        vec_add_to(sums, sum);
        vec_add_to(sums + VEC_LANES, product);
    }
}

VEC_INLINE void data_gradient(const struct vec_norm *norm, size_t at, size_t n, int channel,
                              bool bf16) {
    const vec_f32 mean = vec_load(norm->mean + channel), scale = vec_load(norm->scale + channel),
                  beta = vec_load(norm->beta + channel), mean_g = vec_load(norm->mean_g + channel),
                  slope = vec_load(norm->slope + channel);
    const struct vec_norm it = *norm;
    for (size_t i = at; i < at + n; i += VEC_LANES) {
        vec_f32 x = vec_get(it.x, i, bf16) - mean;
        vec_f32 g =
            it.dresidual ? vec_get(it.dresidual, i, bf16) : incoming(&it, i, x, scale, beta, bf16);
        vec_put(it.dx, i, scale * (g - mean_g - x * slope), bf16);
    }
}

#define INSTANCE(type, bf16)                                                                       \
    void VEC(norm_moments_##type)(const void *x, size_t at, size_t n, const float *shift,          \
                                  double *sums) {                                                  \
        moments(x, at, n, shift, sums, bf16);                                                      \
    }                                                                                              \
    void VEC(norm_apply_##type)(const struct vec_norm *norm, size_t at, size_t n, int channel) {   \
        apply(norm, at, n, channel, bf16);                                                         \
    }                                                                                              \
    void VEC(norm_gradient_##type)(const struct vec_norm *norm, size_t at, size_t n, int channel,  \
                                   double *sums) {                                                 \
        gradient(norm, at, n, channel, sums, bf16);                                                \
    }                                                                                              \
    void VEC(norm_dx_##type)(const struct vec_norm *norm, size_t at, size_t n, int channel) {      \
        data_gradient(norm, at, n, channel, bf16);                                                 \
    }

INSTANCE(f32, false)
INSTANCE(bf16, true)
