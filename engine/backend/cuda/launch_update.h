/*
 * launch_update.h - loss, tally and optimisers, as launch.h has the other kernels.
 */
#ifndef ENGINE_BACKEND_CUDA_LAUNCH_UPDATE_H
#define ENGINE_BACKEND_CUDA_LAUNCH_UPDATE_H

#include "engine/backend/cuda/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* student, teacher and gradient are all f32 or all bf16, and begin at multiples of 16 bytes. */
struct loss_args {
    struct array student, teacher, gradient;
    const int32_t *label;
    float *rows;
    const void *step;
    int n, classes, slot;
    float gamma, tau, scale, label_smoothing;
    bool power_weight;
    void *workspace; /* as many bytes as the plan says */
};

/* What decides how a loss is computed, beside the card. */
struct loss_size {
    int n, classes;
    bool bf16, teacher; /* teacher: there is one */
};

/* How: made once. */
struct loss_plan {
    int variant; /* row of the table in loss.cu */
    int blocks;  /* that share a row, ... */
    int packs;   /* ... each so many packs of 16 bytes */
    size_t shared_bytes, workspace_bytes;
};
struct loss_plan launch_distill_loss_plan(const struct queue *queue, struct loss_size size);
void launch_distill_loss(const struct queue *queue, const struct loss_plan *plan,
                         const struct loss_args *args);

void launch_tally(const struct queue *queue, const float *rows, const void *step, double *out);

/* *factor = min(1, max_norm / (norm + 1e-6)); the workspace holds LAUNCH_CLIP_BLOCKS doubles. */
enum { LAUNCH_CLIP_BLOCKS = 256 };
void launch_clip_norm(const struct queue *queue, const float *gradient, uint32_t count,
                      double max_norm, float *factor, double *workspace);

/* factor: what gradients are multiplied by, or NULL. sgd uses momentum, decay and nesterov. */
struct update_args {
    const float *gradient, *factor;
    float *weight, *momentum, *second_moment;
    const void *step;
    uint32_t count;
    int slot;
    double beta1, beta2, epsilon, decay; /* beta1: also the momentum of sgd */
    bool nesterov;
};
void launch_sgd(const struct queue *queue, const struct update_args *args);
void launch_adamw(const struct queue *queue, const struct update_args *args);

#ifdef __cplusplus
}
#endif
#endif
