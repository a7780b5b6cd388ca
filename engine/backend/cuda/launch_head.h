/*
 * launch_head.h - the head of a small classifier, as launch.h has the other kernels: global
 * pooling, a linear layer and the loss in one launch, and the way back to the picture in another.
 *
 * weight is [classes][channels]; channels are a multiple of 8, at most LAUNCH_HEAD_CHANNELS_MAX,
 * classes at most LAUNCH_HEAD_CLASSES_MAX if there is a loss.
 */
#ifndef ENGINE_BACKEND_CUDA_LAUNCH_HEAD_H
#define ENGINE_BACKEND_CUDA_LAUNCH_HEAD_H

#include "engine/backend/cuda/launch_update.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LAUNCH_HEAD_CHANNELS_MAX = 1024, LAUNCH_HEAD_CLASSES_MAX = 512 };

struct head_shape {
    int n, plane, channels, classes; /* plane: pixels of a picture */
};

struct head_args {
    struct head_shape shape;
    struct array x, pooled; /* pooled has no data if nobody wants the means */
    const float *weight, *bias;
    float *y;
    struct loss_args loss; /* of y; without rows there is none */
};
void launch_head(const struct queue *queue, const struct head_args *args);

/* dx = (dy weight) / plane, at each pixel. */
struct head_bwd_args {
    struct head_shape shape;
    const float *dy, *weight;
    struct array dx;
};
void launch_head_bwd(const struct queue *queue, const struct head_bwd_args *args);

#ifdef __cplusplus
}
#endif
#endif
