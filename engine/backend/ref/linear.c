#include "engine/backend/ref/ref_internal.h"

#include <string.h>

/* linear, and token_linear, which is the same with an activation and a residual.
 * x [n,c], weight [k,c], y [n,k]; n counts tokens where a picture has several. */
struct matrices {
    int n, c, k;
};

static struct matrices matrices_of(const struct value *weight, const struct value *y) {
    int rows = y->shape.n * y->shape.h * y->shape.w;
    return (struct matrices){.n = rows, .c = weight->shape.c, .k = weight->shape.n};
}

size_t ref_linear_workspace(const struct kernel_context *context) {
    struct matrices m = matrices_of(context_in(context, 1), context_out(context, 0));
    return (size_t)m.k * sizeof(double) + (size_t)m.c * m.k * sizeof(float);
}

/* y = act(sum) + residual, for a row of y. */
static void finish_row(const struct kernel_args *args, int k, ptrdiff_t at, double *sum) {
    const float *residual = args->in[3];
    for (int i = 0; i < k; i++) {
        if (args->context->op->attr.gelu)
            sum[i] = ref_gelu_of(sum[i]);
        if (residual)
            sum[i] += (double)residual[at + i];
    }
    ref_round((float *)args->out[0] + at, sum, (size_t)k);
}

void ref_linear(const struct kernel_args *args) {
    struct matrices m = matrices_of(context_in(args->context, 1), context_out(args->context, 0));
    const float *x = args->in[0], *weight = args->in[1], *bias = args->in[2];
    double *sum = args->workspace;
    float *transposed = (float *)(sum + m.k); /* [c,k], so that the sums run over contiguous k */
    for (int c = 0; c < m.c; c++)
        for (int k = 0; k < m.k; k++)
            transposed[(size_t)c * m.k + k] = weight[(size_t)k * m.c + c];
    for (int n = 0; n < m.n; n++) {
        for (int k = 0; k < m.k; k++)
            sum[k] = bias ? bias[k] : 0.0;
        struct ref_rows rows = {.factor = x + (size_t)n * m.c,
                                .factor_stride = 1,
                                .row = transposed,
                                .row_stride = m.k,
                                .count = m.c};
        ref_accumulate(sum, m.k, &rows);
        finish_row(args, m.k, (ptrdiff_t)n * m.k, sum);
    }
}

void ref_linear_dx(const struct kernel_args *args) {
    struct matrices m = matrices_of(context_in(args->context, 1), context_in(args->context, 0));
    const float *dy = args->in[0];
    float *dx = args->out[0];
    double *sum = args->workspace;
    for (int n = 0; n < m.n; n++) {
        struct ref_rows rows = {.factor = dy + (size_t)n * m.k,
                                .factor_stride = 1,
                                .row = args->in[1],
                                .row_stride = m.c,
                                .count = m.k};
        memset(sum, 0, (size_t)m.c * sizeof *sum);
        ref_accumulate(sum, m.c, &rows);
        ref_round(dx + (size_t)n * m.c, sum, (size_t)m.c);
    }
}

void ref_linear_dw(const struct kernel_args *args) {
    struct matrices m = matrices_of(context_out(args->context, 0), context_in(args->context, 0));
    const float *dy = args->in[0];
    float *dweight = args->out[0], *dbias = args->out[1];
    double *sum = args->workspace;
    for (int k = 0; k < m.k; k++) {
        struct ref_rows rows = {.factor = dy + k,
                                .factor_stride = m.k,
                                .row = args->in[1],
                                .row_stride = m.c,
                                .count = m.n};
        memset(sum, 0, (size_t)m.c * sizeof *sum);
        ref_accumulate(sum, m.c, &rows);
        ref_round(dweight + (size_t)k * m.c, sum, (size_t)m.c);
        double total = 0;
        for (int n = 0; n < m.n; n++)
            total += dy[(size_t)n * m.k + k];
        dbias[k] = (float)total;
    }
}
