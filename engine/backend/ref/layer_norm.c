#include "engine/backend/ref/ref_internal.h"

#include <math.h>
#include <string.h>

/* Tokens of c channels. */
static int64_t token_count(const struct value *x) {
    return shape_elements(x->shape) / x->shape.c;
}

void ref_layer_norm(const struct kernel_args *args) {
    const struct value *of = context_in(args->context, 0);
    double eps = (double)args->context->op->attr.norm.eps;
    const float *gamma = args->in[1], *beta = args->in[2];
    float *mean = args->out[1], *rstd = args->out[2];
    int c = of->shape.c;
    for (int64_t token = 0; token < token_count(of); token++) {
        const float *x = (const float *)args->in[0] + token * c;
        float *y = (float *)args->out[0] + token * c;
        double sum = 0, squares = 0;
        for (int i = 0; i < c; i++)
            sum += (double)x[i];
        double center = sum / c;
        for (int i = 0; i < c; i++)
            squares += ((double)x[i] - center) * ((double)x[i] - center);
        double factor = 1 / sqrt(squares / c + eps);
        for (int i = 0; i < c; i++)
            y[i] = (float)(((double)x[i] - center) * factor * (double)gamma[i] + (double)beta[i]);
        mean[token] = (float)center;
        rstd[token] = (float)factor;
    }
}

size_t ref_layer_norm_bwd_workspace(const struct kernel_context *context) {
    return 2 * (size_t)context_in(context, 1)->shape.c * sizeof(double);
}

/* One token of the gradient: with n = (x - mean) rstd and g = gamma dy,
 * dx = rstd (g - mean of g - n mean of g n) + dx2. */
struct norm_token {
    const float *dy, *x, *gamma, *dx2;
    double mean, rstd;
    float *dx;
    int c;
};

static void gradient_of_token(const struct norm_token *token) {
    double sum = 0, sum_n = 0;
    for (int i = 0; i < token->c; i++) {
        double g = (double)token->gamma[i] * (double)token->dy[i];
        sum += g;
        sum_n += g * ((double)token->x[i] - token->mean) * token->rstd;
    }
    for (int i = 0; i < token->c; i++) {
        double g = (double)token->gamma[i] * (double)token->dy[i];
        double n = ((double)token->x[i] - token->mean) * token->rstd;
        double dx = token->rstd * (g - sum / token->c - n * sum_n / token->c);
        token->dx[i] = (float)(dx + (token->dx2 ? (double)token->dx2[i] : 0));
    }
}

void ref_layer_norm_bwd(const struct kernel_args *args) {
    const struct value *of = context_in(args->context, 1);
    const float *mean = args->in[3], *rstd = args->in[4], *dx2 = args->in[5];
    int c = of->shape.c;
    double *dgamma = args->workspace, *dbeta = dgamma + c;
    memset(dgamma, 0, 2 * (size_t)c * sizeof *dgamma);
    for (int64_t t = 0; t < token_count(of); t++) {
        struct norm_token token = {.dy = (const float *)args->in[0] + t * c,
                                   .x = (const float *)args->in[1] + t * c,
                                   .gamma = args->in[2],
                                   .dx2 = dx2 ? dx2 + t * c : NULL,
                                   .mean = (double)mean[t],
                                   .rstd = (double)rstd[t],
                                   .dx = (float *)args->out[0] + t * c,
                                   .c = c};
        for (int i = 0; i < c; i++) {
            dbeta[i] += (double)token.dy[i];
            dgamma[i] += (double)token.dy[i] * ((double)token.x[i] - token.mean) * token.rstd;
        }
        gradient_of_token(&token);
    }
    ref_round(args->out[1], dgamma, (size_t)c);
    ref_round(args->out[2], dbeta, (size_t)c);
}
