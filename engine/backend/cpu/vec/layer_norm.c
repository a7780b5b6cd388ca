#include "engine/backend/cpu/vec/vec_members.h"

#include <math.h>

/* One row: what is read and where it begins. */
struct row {
    const struct vec_layer_norm *norm;
    size_t at; /* its first number */
    float mean, rstd;
};

VEC_INLINE void measure(struct row *row, bool bf16) {
    const struct vec_layer_norm *norm = row->norm;
    const size_t n = (size_t)norm->channels;
    vec_f32 sum = {0}, squares = {0};
    for (size_t i = 0; i < n; i += VEC_LANES)
        sum += vec_get_part(norm->x, row->at + i, vec_width(i, n), bf16);
    row->mean = vec_sum(sum) / (float)n;
    for (size_t i = 0; i < n; i += VEC_LANES) {
        int width = vec_width(i, n);
        vec_f32 off = vec_get_part(norm->x, row->at + i, width, bf16) - row->mean;
        squares += off * off;
        if (width < VEC_LANES) /* lanes beyond the end are not numbers of the row */
            squares -= vec_keep(vec_beyond(width), off * off);
    }
    row->rstd = 1 / sqrtf(vec_sum(squares) / (float)n + norm->eps);
}

VEC_INLINE void run(const struct vec_layer_norm *norm, size_t begin, size_t end, bool x_bf16,
                    bool y_bf16) {
    const size_t n = (size_t)norm->channels;
    for (size_t r = begin; r < end; r++) {
        struct row row = {.norm = norm, .at = r * n};
        measure(&row, x_bf16);
        norm->mean[r] = row.mean;
        norm->rstd[r] = row.rstd;
        for (size_t i = 0; i < n; i += VEC_LANES) {
            int width = vec_width(i, n);
            vec_f32 x = vec_get_part(norm->x, row.at + i, width, x_bf16);
            vec_f32 gamma = vec_get_part(norm->gamma, i, width, false);
            vec_f32 beta = vec_get_part(norm->beta, i, width, false);
            vec_put_part(norm->y, row.at + i, (x - row.mean) * row.rstd * gamma + beta, width,
                         y_bf16);
        }
    }
}

/* Sums of g = gamma dy and of g times the normalised x; adds to the gradients of gamma and beta. */
VEC_INLINE void add_row(const struct row *row, float *sums, vec_f32 out[2], bool x_bf16,
                        bool y_bf16) {
    const struct vec_layer_norm *norm = row->norm;
    const size_t n = (size_t)norm->channels;
    vec_f32 sum = {0}, sum_n = {0};
    for (size_t i = 0; i < n; i += VEC_LANES) {
        int width = vec_width(i, n);
        vec_f32 x = vec_get_part(norm->x, row->at + i, width, x_bf16);
        vec_f32 dy = vec_get_part(norm->dy, row->at + i, width, y_bf16);
        vec_f32 normal = (x - row->mean) * row->rstd;
        vec_f32 g = dy * vec_get_part(norm->gamma, i, width, false);
        float *dgamma = sums + i, *dbeta = sums + n + i;
        sum += g;
        sum_n += g * normal;
        vec_put_part(dgamma, 0, vec_get_part(dgamma, 0, width, false) + dy * normal, width, false);
        vec_put_part(dbeta, 0, vec_get_part(dbeta, 0, width, false) + dy, width, false);
    }
    out[0] = sum;
    out[1] = sum_n;
}

VEC_INLINE void run_bwd(const struct vec_layer_norm *norm, size_t begin, size_t end, float *sums,
                        bool x_bf16, bool y_bf16) {
    const size_t n = (size_t)norm->channels;
    for (size_t r = begin; r < end; r++) {
        struct row row = {norm, r * n, norm->mean[r], norm->rstd[r]};
        vec_f32 sum[2];
        add_row(&row, sums, sum, x_bf16, y_bf16);
        float mean_g = vec_sum(sum[0]) / (float)n, mean_gn = vec_sum(sum[1]) / (float)n;
        for (size_t i = 0; i < n; i += VEC_LANES) {
            int width = vec_width(i, n);
            vec_f32 x = vec_get_part(norm->x, row.at + i, width, x_bf16);
            vec_f32 g = vec_get_part(norm->dy, row.at + i, width, y_bf16) *
                        vec_get_part(norm->gamma, i, width, false);
            vec_f32 dx = (g - mean_g - (x - row.mean) * row.rstd * mean_gn) * row.rstd;
            if (norm->dx2)
                dx += vec_get_part(norm->dx2, row.at + i, width, x_bf16);
            vec_put_part(norm->dx, row.at + i, dx, width, x_bf16);
        }
    }
}

void VEC(layer_norm)(const struct vec_layer_norm *norm, size_t begin, size_t end) {
    if (!norm->x_bf16)
        run(norm, begin, end, false, false);
    else if (norm->y_bf16)
        run(norm, begin, end, true, true);
    else
        run(norm, begin, end, true, false);
}

void VEC(layer_norm_bwd)(const struct vec_layer_norm *norm, size_t begin, size_t end, float *sums) {
    if (!norm->x_bf16)
        run_bwd(norm, begin, end, sums, false, false);
    else if (norm->y_bf16)
        run_bwd(norm, begin, end, sums, true, true);
    else
        run_bwd(norm, begin, end, sums, true, false);
}
