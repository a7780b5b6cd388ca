#include "engine/backend/ref/ref_internal.h"

#include "engine/graph/drop_path.h"

#include <math.h>
#include <string.h>

/* --- the ends --- */

void ref_embed(const struct kernel_args *args) {
    struct shape y = context_out(args->context, 0)->shape;
    const float *x = args->in[0], *class = args->in[1], *position = args->in[2];
    bool all = context_in(args->context, 2)->shape.w == y.w;
    float *out = args->out[0];
    for (int n = 0; n < y.n; n++)
        for (int t = 0; t < y.w; t++)
            for (int c = 0; c < y.c; c++) {
                float token = t ? *x++ : class[c];
                *out++ = t || all ? token + position[(t - !all) * y.c + c] : token;
            }
}

static double sum_over_pictures(const float *dy, const struct shape *shape, int t, int c) {
    double sum = 0;
    for (int n = 0; n < shape->n; n++)
        sum += (double)dy[((int64_t)n * shape->w + t) * shape->c + c];
    return sum;
}

void ref_embed_bwd(const struct kernel_args *args) {
    struct shape shape = context_in(args->context, 0)->shape;
    bool all = context_out(args->context, 2)->shape.w == shape.w;
    const float *dy = args->in[0];
    float *dx = args->out[0], *dclass = args->out[1], *dposition = args->out[2];
    size_t patches = (size_t)(shape.w - 1) * (size_t)shape.c;
    for (int n = 0; n < shape.n; n++)
        memcpy(dx + (size_t)n * patches, dy + (size_t)n * (patches + (size_t)shape.c) + shape.c,
               patches * sizeof *dx);
    for (int t = 0; t < shape.w; t++)
        for (int c = 0; c < shape.c; c++) {
            float sum = (float)sum_over_pictures(dy, &shape, t, c);
            if (t == 0)
                dclass[c] = sum;
            if (t || all)
                dposition[(t - !all) * shape.c + c] = sum;
        }
}

void ref_first_token(const struct kernel_args *args) {
    struct shape shape = context_in(args->context, 0)->shape;
    const float *x = args->in[0];
    float *y = args->out[0];
    size_t c = (size_t)shape.c, picture = (size_t)shape.h * (size_t)shape.w * c;
    for (size_t n = 0; n < (size_t)shape.n; n++)
        memcpy(y + n * c, x + n * picture, c * sizeof *y);
}

void ref_first_token_bwd(const struct kernel_args *args) {
    struct shape shape = context_out(args->context, 0)->shape;
    const float *dy = args->in[0];
    float *dx = args->out[0];
    size_t c = (size_t)shape.c, picture = (size_t)shape.h * (size_t)shape.w * c;
    memset(dx, 0, (size_t)shape.n * picture * sizeof *dx);
    for (size_t n = 0; n < (size_t)shape.n; n++)
        memcpy(dx + n * picture, dy + n * c, c * sizeof *dx);
}

/* --- GELU --- */

double ref_gelu_of(double x) {
    return x * 0.5 * erfc(-x * 0.70710678118654752);
}

void ref_gelu(const struct kernel_args *args) {
    const float *x = args->in[0];
    float *y = args->out[0];
    for (int64_t i = 0; i < shape_elements(context_in(args->context, 0)->shape); i++)
        y[i] = (float)ref_gelu_of((double)x[i]);
}

void ref_gelu_bwd(const struct kernel_args *args) {
    const float *dy = args->in[0], *x = args->in[1];
    float *dx = args->out[0];
    for (int64_t i = 0; i < shape_elements(context_in(args->context, 0)->shape); i++) {
        double at = (double)x[i], density = 0.39894228040143268 * exp(-at * at / 2);
        double slope = 0.5 * erfc(-at * 0.70710678118654752) + at * density;
        dx[i] = (float)((double)dy[i] * slope);
    }
}

/* --- residual branches --- */

static double keep_of(const struct kernel_args *args, int picture) {
    const struct residual_attr *attr = &args->context->op->attr.residual;
    const struct step *step = args->step;
    return (double)drop_path_keep(step->seed, step->index, attr->layer, picture, attr->drop);
}

void ref_residual(const struct kernel_args *args) {
    struct shape shape = context_out(args->context, 0)->shape;
    const float *x = args->in[0], *branch = args->in[1], *scale = args->in[2];
    float *y = args->out[0];
    for (int n = 0; n < shape.n; n++) {
        double keep = keep_of(args, n);
        for (int token = 0; token < shape.h * shape.w; token++)
            for (int c = 0; c < shape.c; c++) {
                double factor = keep * (scale ? (double)scale[c] : 1);
                *y++ = (float)((double)*x++ + factor * (double)*branch++);
            }
    }
}

void ref_residual_bwd(const struct kernel_args *args) {
    struct shape shape = context_in(args->context, 0)->shape;
    const float *dy = args->in[0], *branch = args->in[1], *scale = args->in[2];
    float *dbranch = args->out[0];
    double *sum = args->workspace;
    memset(sum, 0, (size_t)shape.c * sizeof *sum);
    for (int n = 0; n < shape.n; n++) {
        double keep = keep_of(args, n);
        for (int token = 0; token < shape.h * shape.w; token++)
            for (int c = 0; c < shape.c; c++) {
                double kept = keep * (double)*dy++;
                sum[c] += kept * (double)*branch++;
                *dbranch++ = (float)(kept * (scale ? (double)scale[c] : 1));
            }
    }
    if (args->out[1])
        ref_round(args->out[1], sum, (size_t)shape.c);
}

void ref_fold_scale(const struct kernel_args *args) {
    struct shape shape = context_in(args->context, 0)->shape;
    const float *weight = args->in[0], *bias = args->in[1], *scale = args->in[2];
    float *to = args->out[0], *to_bias = args->out[1];
    for (int k = 0; k < shape.n; k++) {
        for (int c = 0; c < shape.c; c++)
            to[(size_t)k * (size_t)shape.c + (size_t)c] =
                scale[k] * weight[(size_t)k * (size_t)shape.c + (size_t)c];
        to_bias[k] = scale[k] * bias[k];
    }
}
