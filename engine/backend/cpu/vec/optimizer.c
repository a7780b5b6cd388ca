/* Plain loops here: the arena's ranges are no multiple of a vector. */
#include "engine/backend/cpu/vec/vec_members.h"

#include <math.h>

/* clipped is a constant at every call. */
VEC_INLINE void sgd_range(const struct vec_sgd *sgd, size_t begin, size_t end, bool clipped) {
    float *restrict weight = sgd->weight, *restrict momentum = sgd->momentum;
    const float *restrict gradient = sgd->gradient;
    const float clip = sgd->clip, rate = sgd->rate, factor = sgd->factor, decay = sgd->decay;
    const float ahead = sgd->nesterov ? factor : 1, own = sgd->nesterov ? 1 : 0;
    for (size_t i = begin; i < end; i++) {
        float g = (clipped ? clip * gradient[i] : gradient[i]) + decay * weight[i];
        float m = factor * momentum[i] + g;
        momentum[i] = m;
        weight[i] -= rate * (own * g + ahead * m);
    }
}

void VEC(sgd)(const struct vec_sgd *sgd, size_t begin, size_t end) {
    if (sgd->clip == 1)
        sgd_range(sgd, begin, end, false);
    else
        sgd_range(sgd, begin, end, true);
}

void VEC(adamw)(const struct vec_adamw *adamw, size_t begin, size_t end) {
    float *restrict weight = adamw->weight, *restrict momentum = adamw->momentum;
    float *restrict second_moment = adamw->second_moment;
    const float *restrict gradient = adamw->gradient;
    const struct vec_adamw it = *adamw;
    for (size_t i = begin; i < end; i++) {
        float g = it.clip * gradient[i];
        float m = it.beta1 * momentum[i] + it.fresh1 * g;
        float v = it.beta2 * second_moment[i] + it.fresh2 * g * g;
        momentum[i] = m;
        second_moment[i] = v;
        weight[i] = it.keep * weight[i] - it.step * m / (it.inverse_root * sqrtf(v) + it.epsilon);
    }
}

/* One sum a lane, in f64. */
double VEC(squares)(const float *x, size_t begin, size_t end) {
    double lane[VEC_LANES] = {0}, sum = 0;
    for (; begin + VEC_LANES <= end; begin += VEC_LANES) {
        vec_f32 v = vec_load(x + begin);
        for (int i = 0; i < VEC_LANES; i++)
            lane[i] += (double)v[i] * (double)v[i];
    }
    for (; begin < end; begin++)
        sum += (double)x[begin] * (double)x[begin];
    for (int i = 0; i < VEC_LANES; i++)
        sum += lane[i];
    return sum;
}
