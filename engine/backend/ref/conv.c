/*
 * Convolutions as sums of rows: conv and conv_dx gather what belongs to one pixel, conv_dw adds
 * row by row to all weights. Taps that fall into the padding are left out.
 */
#include "engine/backend/ref/ref_internal.h"

#include <string.h>

struct geometry {
    struct shape x, y; /* input and output of the forward convolution */
    int r, s;          /* kernel height and width */
    int cg, kg;        /* input and output channels of a group */
    int groups, stride, pad;
};

struct place {
    int n, h, w;
};

static struct geometry geometry_of(const struct kernel_context *context, struct shape x,
                                   struct shape weight, struct shape y) {
    const struct conv_attr *attr = &context->op->attr.conv;
    return (struct geometry){.x = x,
                             .y = y,
                             .r = weight.h,
                             .s = weight.w,
                             .cg = weight.c,
                             .kg = weight.n / attr->groups,
                             .groups = attr->groups,
                             .stride = attr->stride,
                             .pad = attr->pad};
}

static struct geometry conv_geometry(const struct kernel_context *context) {
    return geometry_of(context, context_in(context, 0)->shape, context_in(context, 1)->shape,
                       context_out(context, 0)->shape);
}

static struct geometry conv_dx_geometry(const struct kernel_context *context) {
    return geometry_of(context, context_out(context, 0)->shape, context_in(context, 1)->shape,
                       context_in(context, 0)->shape);
}

static struct geometry conv_dw_geometry(const struct kernel_context *context) {
    return geometry_of(context, context_in(context, 1)->shape, context_out(context, 0)->shape,
                       context_in(context, 0)->shape);
}

static size_t weight_count(const struct geometry *g) {
    return (size_t)g->groups * g->kg * g->r * g->s * g->cg;
}

/* Index of the first channel of a pixel. */
static ptrdiff_t pixel(struct shape shape, struct place at) {
    return (((ptrdiff_t)at.n * shape.h + at.h) * shape.w + at.w) * shape.c;
}

static bool inside(struct shape shape, struct place at) {
    return at.h >= 0 && at.h < shape.h && at.w >= 0 && at.w < shape.w;
}

/* Steps to the next pixel in memory order; false after the last one. */
static bool next_pixel(struct shape shape, struct place *at) {
    if (++at->w < shape.w)
        return true;
    at->w = 0;
    if (++at->h < shape.h)
        return true;
    at->h = 0;
    return ++at->n < shape.n;
}

/* Weights as [group][r][s][c][k], so that the sums of conv run over contiguous k. */
static void transpose_weight(const struct geometry *g, const float *weight, float *out) {
    size_t taps = (size_t)g->r * g->s * g->cg;
    for (int group = 0; group < g->groups; group++)
        for (size_t tap = 0; tap < taps; tap++)
            for (int k = 0; k < g->kg; k++)
                *out++ = weight[((size_t)group * g->kg + k) * taps + tap];
}

/* The sums of one output pixel, for all groups. */
static void conv_pixel(const struct geometry *g, const float *x, const float *transposed,
                       struct place to, double *sum) {
    for (int group = 0; group < g->groups; group++)
        for (int r = 0; r < g->r; r++)
            for (int s = 0; s < g->s; s++, transposed += (ptrdiff_t)g->cg * g->kg) {
                struct place from = {to.n, to.h * g->stride - g->pad + r,
                                     to.w * g->stride - g->pad + s};
                if (!inside(g->x, from))
                    continue;
                struct ref_rows rows = {.factor = x + pixel(g->x, from) + group * g->cg,
                                        .factor_stride = 1,
                                        .row = transposed,
                                        .row_stride = g->kg,
                                        .count = g->cg};
                ref_accumulate(sum + group * g->kg, g->kg, &rows);
            }
}

size_t ref_conv_workspace(const struct kernel_context *context) {
    struct geometry g = conv_geometry(context);
    return (size_t)g.y.c * sizeof(double) + weight_count(&g) * sizeof(float);
}

void ref_conv(const struct kernel_args *args) {
    struct geometry g = conv_geometry(args->context);
    const float *bias = args->in[2], *residual = args->in[3];
    enum activation act = args->context->op->attr.conv.act;
    double *sum = args->workspace;
    float *transposed = (float *)(sum + g.y.c), *y = args->out[0];
    struct place at = {0, 0, 0};
    transpose_weight(&g, args->in[1], transposed);
    do {
        ptrdiff_t first = pixel(g.y, at);
        for (int k = 0; k < g.y.c; k++)
            sum[k] = bias ? bias[k] : 0.0;
        conv_pixel(&g, args->in[0], transposed, at, sum);
        for (int k = 0; k < g.y.c; k++) {
            double value = sum[k] + (residual ? residual[first + k] : 0.0);
            y[first + k] = (float)ref_activate(act, value);
        }
    } while (next_pixel(g.y, &at));
}

/* The sums of one input pixel: every output pixel that a tap of the kernel connects with it. */
static void conv_dx_pixel(const struct geometry *g, const float *dy, const float *weight,
                          struct place to, double *sum) {
    ptrdiff_t k_stride = (ptrdiff_t)g->r * g->s * g->cg;
    for (int group = 0; group < g->groups; group++)
        for (int r = 0; r < g->r; r++)
            for (int s = 0; s < g->s; s++) {
                int h = to.h + g->pad - r, w = to.w + g->pad - s;
                struct place from = {to.n, h / g->stride, w / g->stride};
                if (h < 0 || w < 0 || h % g->stride || w % g->stride || !inside(g->y, from))
                    continue;
                struct ref_rows rows = {.factor = dy + pixel(g->y, from) + group * g->kg,
                                        .factor_stride = 1,
                                        .row = weight + group * g->kg * k_stride +
                                               ((ptrdiff_t)r * g->s + s) * g->cg,
                                        .row_stride = k_stride,
                                        .count = g->kg};
                ref_accumulate(sum + group * g->cg, g->cg, &rows);
            }
}

void ref_conv_dx(const struct kernel_args *args) {
    struct geometry g = conv_dx_geometry(args->context);
    double *sum = args->workspace;
    float *dx = args->out[0];
    struct place at = {0, 0, 0};
    do {
        memset(sum, 0, (size_t)g.x.c * sizeof *sum);
        conv_dx_pixel(&g, args->in[0], args->in[1], at, sum);
        ref_round(dx + pixel(g.x, at), sum, (size_t)g.x.c);
    } while (next_pixel(g.x, &at));
}

/* The output columns first..end-1 whose tap s lies inside of x. */
static void columns_of_tap(const struct geometry *g, int s, int *first, int *end) {
    int left = g->pad - s, right = g->x.w - 1 + g->pad - s;
    *first = left > 0 ? (left + g->stride - 1) / g->stride : 0;
    *end = right < 0 ? 0 : right / g->stride + 1;
    if (*end > g->y.w)
        *end = g->y.w;
}

/* Adds what row h of picture n of dy contributes to tap (r, s) of all weights. */
static void conv_dw_row(const struct geometry *g, const struct kernel_args *args, struct place row,
                        int r, int s) {
    const float *dy = args->in[0], *x = args->in[1];
    double *sum = args->workspace;
    int first, end;
    columns_of_tap(g, s, &first, &end);
    struct place to = {row.n, row.h, first};
    struct place from = {row.n, row.h * g->stride - g->pad + r, first * g->stride - g->pad + s};
    if (first >= end || !inside(g->x, from))
        return;
    struct ref_rows rows = {
        .factor_stride = g->y.c, .row_stride = (ptrdiff_t)g->stride * g->x.c, .count = end - first};
    for (int k = 0; k < g->y.c; k++) {
        rows.factor = dy + pixel(g->y, to) + k;
        rows.row = x + pixel(g->x, from) + k / g->kg * g->cg;
        ref_accumulate(sum + (((size_t)k * g->r + r) * g->s + s) * g->cg, g->cg, &rows);
    }
}

size_t ref_conv_dw_workspace(const struct kernel_context *context) {
    struct geometry g = conv_dw_geometry(context);
    return weight_count(&g) * sizeof(double);
}

static void sum_channels(const float *dy, struct shape shape, float *dbias) {
    int64_t pixels = shape_elements(shape) / shape.c;
    for (int c = 0; c < shape.c; c++) {
        double sum = 0;
        for (int64_t i = 0; i < pixels; i++)
            sum += dy[i * shape.c + c];
        dbias[c] = (float)sum;
    }
}

void ref_conv_dw(const struct kernel_args *args) {
    struct geometry g = conv_dw_geometry(args->context);
    if (args->out[1])
        sum_channels(args->in[0], g.y, args->out[1]);
    memset(args->workspace, 0, weight_count(&g) * sizeof(double));
    for (int n = 0; n < g.y.n; n++)
        for (int h = 0; h < g.y.h; h++)
            for (int r = 0; r < g.r; r++)
                for (int s = 0; s < g.s; s++)
                    conv_dw_row(&g, args, (struct place){n, h, 0}, r, s);
    ref_round(args->out[0], args->workspace, weight_count(&g));
}
