#include "engine/backend/ref/ref_internal.h"

size_t ref_input_sums(const struct kernel_context *context) {
    return (size_t)context_in(context, 0)->shape.c * sizeof(double);
}

size_t ref_output_sums(const struct kernel_context *context) {
    return (size_t)context_out(context, 0)->shape.c * sizeof(double);
}

enum { BLOCK = 8 }; /* sums that stay in registers */

static void accumulate_block(double *sum, const struct ref_rows *rows, const float *row) {
    double s[BLOCK];
    for (int i = 0; i < BLOCK; i++)
        s[i] = sum[i];
    const float *factor = rows->factor;
    for (int j = 0; j < rows->count; j++) {
        double f = *factor;
        for (int i = 0; i < BLOCK; i++)
            s[i] += f * row[i];
        factor += rows->factor_stride;
        row += rows->row_stride;
    }
    for (int i = 0; i < BLOCK; i++)
        sum[i] = s[i];
}

static void accumulate_one(double *sum, const struct ref_rows *rows, const float *row) {
    double s = *sum;
    for (int j = 0; j < rows->count; j++)
        s += (double)rows->factor[j * rows->factor_stride] * row[j * rows->row_stride];
    *sum = s;
}

void ref_accumulate(double *sum, int n, const struct ref_rows *rows) {
    int i = 0;
    for (; i + BLOCK <= n; i += BLOCK)
        accumulate_block(sum + i, rows, rows->row + i);
    for (; i < n; i++)
        accumulate_one(sum + i, rows, rows->row + i);
}

void ref_round(float *out, const double *sum, size_t n) {
    for (size_t i = 0; i < n; i++)
        out[i] = (float)sum[i];
}
