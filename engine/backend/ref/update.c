#include "engine/backend/ref/ref_internal.h"

#include <math.h>

void ref_bn_update(const struct kernel_args *args) {
    const struct norm_attr *attr = &args->context->op->attr.norm;
    int channels = context_in(args->context, 0)->shape.c;
    const float *mean = args->in[0], *var = args->in[1];
    float *running_mean = args->out[0], *running_var = args->out[1];
    /* A single element has no unbiased variance; its biased one, 0, is taken. */
    double unbias = attr->count > 1 ? attr->count / (attr->count - 1.0) : 1.0;
    for (int c = 0; c < channels; c++) {
        double m = running_mean[c], v = running_var[c];
        running_mean[c] = (float)(m + attr->momentum * (mean[c] - m));
        running_var[c] = (float)(v + attr->momentum * (var[c] * unbias - v));
    }
}

void ref_fold_bn(const struct kernel_args *args) {
    struct shape shape = context_in(args->context, 0)->shape;
    const float *weight = args->in[0], *gamma = args->in[1], *beta = args->in[2];
    const float *mean = args->in[3], *var = args->in[4], *conv_bias = args->in[5];
    float *folded = args->out[0], *bias = args->out[1];
    size_t taps = (size_t)shape.h * shape.w * shape.c;
    for (int k = 0; k < shape.n; k++) {
        double scale = gamma[k] / sqrt((double)var[k] + args->context->op->attr.norm.eps);
        for (size_t i = 0; i < taps; i++)
            *folded++ = (float)(*weight++ * scale);
        bias[k] = (float)(beta[k] + ((conv_bias ? conv_bias[k] : 0.0) - mean[k]) * scale);
    }
}

void ref_bn_scale(const struct kernel_args *args) {
    int channels = context_in(args->context, 0)->shape.c;
    const float *gamma = args->in[0], *beta = args->in[1];
    const float *mean = args->in[2], *var = args->in[3];
    float *scale = args->out[0], *shift = args->out[1];
    for (int c = 0; c < channels; c++) {
        double s = gamma[c] / sqrt((double)var[c] + args->context->op->attr.norm.eps);
        scale[c] = (float)s;
        shift[c] = (float)(beta[c] - mean[c] * s);
    }
}

void ref_tally(const struct kernel_args *args) {
    static const int sums[][2] = {{TALLY_LOSS, ROW_LOSS},
                                  {TALLY_CE, ROW_CE},
                                  {TALLY_DISTILL, ROW_DISTILL},
                                  {TALLY_TOP1, ROW_TOP1},
                                  {TALLY_TOP5, ROW_TOP5}};
    const float *row = args->in[0];
    double *tally = args->out[0];
    for (int n = 0; n < args->step->n_valid; n++, row += ROW_FIELDS) {
        for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
            tally[sums[i][0]] += row[sums[i][1]];
        tally[TALLY_COUNT] += 1;
        if (row[ROW_FINITE] == 0 && tally[TALLY_BAD_STEP] == 0) {
            tally[TALLY_BAD_STEP] = (double)(args->step->index + 1);
            tally[TALLY_BAD_ROW] = n;
        }
    }
}
