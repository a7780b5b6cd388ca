/*
 * What lies between the matrix products of a transformer, one pass each.
 */
#include "engine/backend/cpu/vec/vec_members.h"

/* --- GELU --- */

/* erf(x / sqrt 2) / 2: a quotient of polynomials fitted to it up to 4 sqrt 2, where f32 has reached
 * its limit; the error is below 4e-7. */
VEC_INLINE vec_f32 half_erf(vec_f32 x) {
    const vec_f32 edge = vec_set(5.656854249f);
    vec_f32 c = vec_select(x > edge, edge, vec_select(x < -edge, -edge, x)), s = c * c;
    vec_f32 p = vec_set(1.055744589e-10f), q = vec_set(6.382025168e-5f);
    p = p * s - 2.145987653e-8f;
    p = p * s + 3.254632248e-6f;
    p = p * s + 1.763618924e-4f;
    p = p * s + 4.554209718e-3f;
    p = p * s + 3.661507501e-2f;
    p = p * s + 3.989422545e-1f;
    q = q * s + 1.869768588e-3f;
    q = q * s + 2.949277922e-2f;
    q = q * s + 2.584460061e-1f;
    q = q * s + 1;
    return c * p / q;
}

VEC_INLINE void gelu(const void *x, void *y, size_t begin, size_t end, bool bf16) {
    for (size_t i = begin; i < end; i += VEC_LANES) {
        int width = vec_width(i, end);
        vec_f32 v = vec_get_part(x, i, width, bf16);
        vec_put_part(y, i, v * (half_erf(v) + 0.5f), width, bf16);
    }
}

VEC_INLINE void gelu_bwd(const void *dy, const void *x, void *dx, size_t begin, size_t end,
                         bool bf16) {
    for (size_t i = begin; i < end; i += VEC_LANES) {
        int width = vec_width(i, end);
        vec_f32 v = vec_get_part(x, i, width, bf16);
        vec_f32 density = vec_exp(v * v * -0.5f) * 0.3989422804f;
        vec_f32 slope = half_erf(v) + 0.5f + v * density;
        vec_put_part(dx, i, vec_get_part(dy, i, width, bf16) * slope, width, bf16);
    }
}

void VEC(to_bf16)(const float *from, void *to, size_t begin, size_t end) {
    for (size_t i = begin; i < end; i += VEC_LANES) {
        int width = vec_width(i, end);
        vec_put_part(to, i, vec_get_part(from, i, width, false), width, true);
    }
}

void VEC(to_f32)(const void *from, float *to, size_t begin, size_t end) {
    for (size_t i = begin; i < end; i += VEC_LANES) {
        int width = vec_width(i, end);
        vec_put_part(to, i, vec_get_part(from, i, width, true), width, false);
    }
}

/* --- residual branches --- */

VEC_INLINE vec_f32 factor_at(const struct vec_residual *it, float keep, size_t i, int width) {
    return it->scale ? keep * vec_get_part(it->scale, i, width, false) : vec_set(keep);
}

VEC_INLINE void residual(const struct vec_residual *it, int begin, int end, bool bf16) {
    const size_t n = (size_t)it->channels;
    for (int token = begin; token < end; token++) {
        const float keep = it->keep[token / it->tokens];
        const size_t at = (size_t)token * n;
        for (size_t i = 0; i < n; i += VEC_LANES) {
            int width = vec_width(i, n);
            vec_f32 branch = vec_get_part(it->branch, at + i, width, bf16);
            vec_f32 y =
                vec_get_part(it->x, at + i, width, bf16) + factor_at(it, keep, i, width) * branch;
            vec_put_part(it->y, at + i, y, width, bf16);
        }
    }
}

VEC_INLINE void residual_bwd(const struct vec_residual *it, int begin, int end, float *sums,
                             bool bf16) {
    const size_t n = (size_t)it->channels;
    for (int token = begin; token < end; token++) {
        const float keep = it->keep[token / it->tokens];
        const size_t at = (size_t)token * n;
        for (size_t i = 0; i < n; i += VEC_LANES) {
            int width = vec_width(i, n);
            vec_f32 dy = vec_get_part(it->dy, at + i, width, bf16);
            if (sums) {
                vec_f32 branch = vec_get_part(it->branch, at + i, width, bf16);
                vec_f32 sum = vec_get_part(sums, i, width, false) + keep * dy * branch;
                vec_put_part(sums, i, sum, width, false);
            }
            vec_put_part(it->dbranch, at + i, factor_at(it, keep, i, width) * dy, width, bf16);
        }
    }
}

/* Four tokens at a time, so that sums are written a quarter as often. */
VEC_INLINE void token_sums(const void *x, int channels, int begin, int end, float *sums,
                           bool bf16) {
    const size_t n = (size_t)channels;
    memset(sums, 0, n * sizeof *sums);
    for (int token = begin; token < end; token += 4) {
        const int count = end - token < 4 ? end - token : 4;
        for (size_t i = 0; i < n; i += VEC_LANES) {
            const int width = vec_width(i, n);
            vec_f32 sum = {0};
            for (int k = 0; k < count; k++)
                sum += vec_get_part(x, (size_t)(token + k) * n + i, width, bf16);
            vec_put_part(sums, i, vec_get_part(sums, i, width, false) + sum, width, false);
        }
    }
}

/* --- tokens from patches --- */

/* to = from + more, for a row of numbers; more may be NULL. */
VEC_INLINE void put_row(void *to, size_t at, const float *from, const float *more, size_t n,
                        bool bf16) {
    for (size_t i = 0; i < n; i += VEC_LANES) {
        int width = vec_width(i, n);
        vec_f32 v = vec_get_part(from, i, width, false);
        vec_put_part(to, at + i, more ? v + vec_get_part(more, i, width, false) : v, width, bf16);
    }
}

VEC_INLINE void embed(const struct vec_embed *it, int n, bool bf16) {
    const size_t c = (size_t)it->channels, patches = (size_t)it->tokens - 1;
    const size_t at = (size_t)n * (patches + 1) * c;
    put_row(it->y, at, it->class, it->class_position, c, bf16);
    for (size_t t = 0; t < patches; t++)
        put_row(it->y, at + (t + 1) * c, it->x + ((size_t)n * patches + t) * c,
                it->position + t * c, c, bf16);
}

VEC_INLINE void embed_bwd(const struct vec_embed *it, int n, bool bf16) {
    const size_t c = (size_t)it->channels, patches = (size_t)it->tokens - 1;
    const size_t from = ((size_t)n * (patches + 1) + 1) * c;
    float *dx = it->x + (size_t)n * patches * c;
    for (size_t i = 0; i < patches * c; i += VEC_LANES) {
        int width = vec_width(i, patches * c);
        vec_put_part(dx, i, vec_get_part(it->y, from + i, width, bf16), width, false);
    }
}

VEC_INLINE void embed_sums(const struct vec_embed *it, int t, float *sum, bool bf16) {
    const size_t c = (size_t)it->channels, picture = (size_t)it->tokens * c;
    for (size_t i = 0; i < c; i += VEC_LANES) {
        int width = vec_width(i, c);
        vec_f32 total = {0};
        for (size_t n = 0; n < (size_t)it->pictures; n++)
            total += vec_get_part(it->y, n * picture + (size_t)t * c + i, width, bf16);
        vec_put_part(sum, i, total, width, false);
    }
}

#define INSTANCE(type, bf16)                                                                       \
    void VEC(gelu_##type)(const void *x, void *y, size_t begin, size_t end) {                      \
        gelu(x, y, begin, end, bf16);                                                              \
    }                                                                                              \
    void VEC(gelu_bwd_##type)(const void *dy, const void *x, void *dx, size_t begin, size_t end) { \
        gelu_bwd(dy, x, dx, begin, end, bf16);                                                     \
    }                                                                                              \
    void VEC(residual_##type)(const struct vec_residual *it, int begin, int end) {                 \
        residual(it, begin, end, bf16);                                                            \
    }                                                                                              \
    void VEC(residual_bwd_##type)(const struct vec_residual *it, int begin, int end,               \
                                  float *sums) {                                                   \
        residual_bwd(it, begin, end, sums, bf16);                                                  \
    }                                                                                              \
    void VEC(token_sums_##type)(const void *x, int channels, int begin, int end, float *sums) {    \
        token_sums(x, channels, begin, end, sums, bf16);                                           \
    }                                                                                              \
    void VEC(embed_##type)(const struct vec_embed *it, int n) {                                    \
        embed(it, n, bf16);                                                                        \
    }                                                                                              \
    void VEC(embed_bwd_##type)(const struct vec_embed *it, int n) {                                \
        embed_bwd(it, n, bf16);                                                                    \
    }                                                                                              \
    void VEC(embed_sums_##type)(const struct vec_embed *it, int t, float *sum) {                   \
        embed_sums(it, t, sum, bf16);                                                              \
    }

INSTANCE(f32, false)
INSTANCE(bf16, true)
