#include "engine/backend/clip.h"
#include "engine/backend/ref/ref_internal.h"

#include <math.h>

/* What all gradients are multiplied by. */
static double factor_of(const struct kernel_args *args) {
    const float *factor = args->in[1];
    return factor ? (double)*factor : 1;
}

void ref_clip_norm(const struct kernel_args *args) {
    int64_t count = shape_elements(context_in(args->context, 0)->shape);
    const float *gradient = args->in[0];
    double squares = 0;
    for (int64_t i = 0; i < count; i++)
        squares += (double)gradient[i] * gradient[i];
    *(float *)args->out[0] = clip_factor(args->context->op->attr.clip.max_norm, squares);
}

/* The decay counts as part of the gradient, also in nesterov's look-ahead, as in PyTorch. */
void ref_sgd(const struct kernel_args *args) {
    const struct sgd_attr *attr = &args->context->op->attr.sgd;
    int64_t count = shape_elements(context_in(args->context, 0)->shape);
    double rate = args->step->student[attr->student].learning_rate, factor = factor_of(args);
    const float *gradient = args->in[0];
    float *weight = args->out[0], *momentum = args->out[1];
    for (int64_t i = 0; i < count; i++) {
        double g = factor * gradient[i] + (double)attr->weight_decay * weight[i];
        double m = (double)attr->momentum * momentum[i] + g;
        momentum[i] = (float)m;
        weight[i] = (float)(weight[i] - rate * (attr->nesterov ? g + attr->momentum * m : m));
    }
}

void ref_adamw(const struct kernel_args *args) {
    const struct adamw_attr *attr = &args->context->op->attr.adamw;
    int64_t count = shape_elements(context_in(args->context, 0)->shape);
    double rate = args->step->student[attr->student].learning_rate, factor = factor_of(args);
    double t = (double)args->step->index + 1;
    double first = 1 - pow(attr->beta1, t), second = 1 - pow(attr->beta2, t);
    const float *gradient = args->in[0];
    float *weight = args->out[0], *momentum = args->out[1], *second_moment = args->out[2];
    for (int64_t i = 0; i < count; i++) {
        double g = factor * gradient[i];
        double m = attr->beta1 * momentum[i] + (1 - attr->beta1) * g;
        double v = attr->beta2 * second_moment[i] + (1 - attr->beta2) * g * g;
        double w = (1 - rate * attr->weight_decay) * weight[i];
        momentum[i] = (float)m;
        second_moment[i] = (float)v;
        weight[i] = (float)(w - rate / first * m / (sqrt(v / second) + attr->epsilon));
    }
}
