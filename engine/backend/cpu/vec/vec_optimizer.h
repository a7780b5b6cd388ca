/*
 * vec_optimizer.h - what the loops of the optimisers work on: ranges of the arenas.
 *
 * Threads: plain data; borrowed pointers.
 */
#ifndef ENGINE_BACKEND_CPU_VEC_VEC_OPTIMIZER_H
#define ENGINE_BACKEND_CPU_VEC_VEC_OPTIMIZER_H

#include <stdbool.h>

struct vec_sgd {
    float *weight, *momentum;
    const float *gradient;
    float clip; /* of gradients */
    float rate, factor, decay;
    bool nesterov;
};

struct vec_adamw {
    float *weight, *momentum, *second_moment;
    const float *gradient;
    float clip;                         /* of gradients */
    float beta1, beta2, fresh1, fresh2; /* fresh: 1 - beta */
    float keep;                         /* of a weight, by decay */
    float step, inverse_root, epsilon;  /* w -= step m / (inverse_root sqrt(v) + epsilon) */
};

#endif
