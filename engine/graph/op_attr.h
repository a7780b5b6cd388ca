/*
 * op_attr.h - what an op knows beside its inputs: constants of the program.
 */
#ifndef ENGINE_GRAPH_OP_ATTR_H
#define ENGINE_GRAPH_OP_ATTR_H

#include "engine/spec/loss.h"

#include <stdbool.h>

/* relu is max(y, 0), relu6 also min(y, 6). */
enum activation { ACT_NONE, ACT_RELU, ACT_RELU6 };
enum { RELU6_TOP = 6 };

struct conv_attr {
    int stride, pad, groups;
    enum activation act;
};
struct norm_attr {
    float eps, momentum; /* momentum: bn_update */
    int count;           /* elements per channel: bn_update */
    enum activation act;
};
struct pool_attr {
    int kernel, stride, pad;
    bool average; /* else the maximum */
};
struct channel_attr {
    int groups; /* channel_shuffle */
    int first;  /* split: channels of the first output */
};
struct attention_attr {
    int heads, queries; /* the first so many tokens are queries; 0 means all */
};
struct residual_attr {
    float drop; /* share of the pictures whose branch is dropped */
    int layer;  /* which branch of the network it is: keeps the draws apart */
};
struct gather_attr {
    int batch; /* rows of the outputs */
};
struct normalize_attr {
    float mean[4], deviation[4];
};
struct augment_attr {
    int padding;
    bool flip;
};
struct loss_attr {
    struct loss_terms terms; /* ce_weight and distill_weight come from the step */
    int student;             /* slot of the step */
};
struct sgd_attr {
    float momentum, weight_decay;
    bool nesterov;
    int student; /* slot of the step with the learning rate */
};
struct adamw_attr {
    double beta1, beta2, epsilon, weight_decay;
    int student; /* slot of the step with the learning rate */
};
struct clip_attr {
    double max_norm;
};

union op_attr {
    struct conv_attr conv;
    struct norm_attr norm;
    struct pool_attr pool;
    struct channel_attr channel;
    bool gelu; /* token_linear */
    struct attention_attr attention;
    struct residual_attr residual;
    struct gather_attr gather;
    struct normalize_attr normalize;
    struct augment_attr augment;
    struct loss_attr loss;
    struct sgd_attr sgd;
    struct adamw_attr adamw;
    struct clip_attr clip;
};

#endif
