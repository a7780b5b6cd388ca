/*
 * Batch norm with statistics of the batch. Mean and variance are rounded to f32 before they are
 * used, because the backward pass sees them so: both passes then agree on where the activation is
 * flat.
 */
#include "engine/backend/ref/ref_internal.h"

#include <math.h>
#include <string.h>

/* One channel's normalisation, before residual and activation. */
struct channel {
    double mean, inverse; /* inverse deviation */
    double gamma, beta;
};

static size_t pixels_of(struct shape shape) {
    return (size_t)shape.n * shape.h * shape.w;
}

static struct channel channel_of(float mean, float var, float eps, float gamma, float beta) {
    return (struct channel){
        .mean = mean, .inverse = 1 / sqrt((double)var + eps), .gamma = gamma, .beta = beta};
}

static inline double standardized(const struct channel *channel, float x) {
    return (x - channel->mean) * channel->inverse;
}

static inline double scaled(const struct channel *channel, float x) {
    return channel->gamma * standardized(channel, x) + channel->beta;
}

/* Two passes: the mean, then the mean square distance from it. */
static void statistics(const float *x, struct shape shape, double *sum, float *mean, float *var) {
    size_t pixels = pixels_of(shape);
    int channels = shape.c;
    memset(sum, 0, (size_t)channels * sizeof *sum);
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < channels; c++)
            sum[c] += x[i * channels + c];
    for (int c = 0; c < channels; c++)
        sum[c] /= (double)pixels;
    double *center = sum, *square = sum + channels;
    memset(square, 0, (size_t)channels * sizeof *square);
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < channels; c++) {
            double distance = x[i * channels + c] - center[c];
            square[c] += distance * distance;
        }
    for (int c = 0; c < channels; c++) {
        mean[c] = (float)center[c];
        var[c] = (float)(square[c] / (double)pixels);
    }
}

size_t ref_bn_workspace(const struct kernel_context *context) {
    size_t channels = (size_t)context_in(context, 0)->shape.c;
    return channels * (2 * sizeof(double) + sizeof(struct channel));
}

void ref_bn_act(const struct kernel_args *args) {
    const struct norm_attr *attr = &args->context->op->attr.norm;
    struct shape shape = context_in(args->context, 0)->shape;
    const float *x = args->in[0], *gamma = args->in[1], *beta = args->in[2];
    const float *residual = args->in[3];
    float *y = args->out[0], *mean = args->out[1], *var = args->out[2];
    double *sum = args->workspace;
    struct channel *channel = (struct channel *)(sum + 2 * (size_t)shape.c);
    size_t pixels = pixels_of(shape), at = 0;
    statistics(x, shape, sum, mean, var);
    for (int c = 0; c < shape.c; c++)
        channel[c] = channel_of(mean[c], var[c], attr->eps, gamma[c], beta[c]);
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < shape.c; c++, at++) {
            double value = scaled(&channel[c], x[at]) + (residual ? residual[at] : 0.0);
            y[at] = (float)ref_activate(attr->act, value);
        }
}

/* The gradient that arrives behind the activation. */
struct incoming {
    const float *dy, *dy2, *x, *y;
    enum activation act;
};

static inline double incoming_at(const struct incoming *in, const struct channel *channel,
                                 size_t at) {
    double y = in->y ? (double)in->y[at] : scaled(channel, in->x[at]);
    return ref_passes(in->act, y) ? (double)in->dy[at] + (in->dy2 ? in->dy2[at] : 0.0) : 0.0;
}

/* dbeta = sum of g, dgamma = sum of g times standardised x, for each channel. */
static void bn_sums(const struct incoming *in, const struct channel *channel, struct shape shape,
                    double *dbeta, double *dgamma) {
    size_t pixels = pixels_of(shape), at = 0;
    memset(dbeta, 0, (size_t)shape.c * sizeof *dbeta);
    memset(dgamma, 0, (size_t)shape.c * sizeof *dgamma);
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < shape.c; c++, at++) {
            double g = incoming_at(in, &channel[c], at);
            dbeta[c] += g;
            dgamma[c] += g * standardized(&channel[c], in->x[at]);
        }
}

void ref_bn_act_bwd(const struct kernel_args *args) {
    const struct norm_attr *attr = &args->context->op->attr.norm;
    struct shape shape = context_in(args->context, 2)->shape;
    struct incoming in = {.dy = args->in[0],
                          .dy2 = args->in[1],
                          .x = args->in[2],
                          .y = args->in[3],
                          .act = attr->act};
    const float *gamma = args->in[4], *beta = args->in[5];
    const float *mean = args->in[6], *var = args->in[7];
    float *dx = args->out[0], *dresidual = args->out[3];
    double *dbeta = args->workspace, *dgamma = dbeta + shape.c;
    struct channel *channel = (struct channel *)(dgamma + shape.c);
    size_t pixels = pixels_of(shape), at = 0;
    for (int c = 0; c < shape.c; c++)
        channel[c] = channel_of(mean[c], var[c], attr->eps, gamma[c], beta[c]);
    bn_sums(&in, channel, shape, dbeta, dgamma);
    ref_round(args->out[1], dgamma, (size_t)shape.c);
    ref_round(args->out[2], dbeta, (size_t)shape.c);
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < shape.c; c++, at++) {
            double g = incoming_at(&in, &channel[c], at);
            double common =
                (dbeta[c] + standardized(&channel[c], in.x[at]) * dgamma[c]) / (double)pixels;
            dx[at] = (float)(channel[c].gamma * channel[c].inverse * (g - common));
            if (dresidual)
                dresidual[at] = (float)g;
        }
}
