/*
 * conv_way.h - the ways in which convolutions and their gradients are computed; for the files of
 * this folder only. conv.c takes the first one that fits.
 *
 * Ownership: create ... free of the way; the state is freed also where create has failed.
 * Threads:   one at a time.
 */
#ifndef ENGINE_BACKEND_CPU_CONV_WAY_H
#define ENGINE_BACKEND_CPU_CONV_WAY_H

#include "engine/backend/cpu/cpu_internal.h"

struct conv_way {
    /* Is this the convolution for it, and is it faster than what comes behind? NULL: yes. */
    bool (*fits)(const struct dnn_problem *problem, const struct vec_kernels *vec);
    /* For the op of a context: conv, conv_dx or conv_dw. Says how much workspace a run needs. */
    enum status (*create)(const struct kernel_context *context, const struct dnn_problem *problem,
                          void **state, size_t *workspace_bytes, struct error *err);
    /* Takes over constant weights; NULL: each run reads them. */
    void (*refresh)(void *state, const struct kernel_args *args);
    /* What the op says, without the gradient of a bias. */
    void (*run)(void *state, const struct kernel_args *args);
    void (*free)(void *state);
};

/* Groups with a 1x1 window that fill no whole blocks of channels. oneDNN moves such tensors into
 * narrower blocks, computes and moves the result back. Here a block of output channels takes all
 * input channels of its groups, with zeros for weights between groups that share a block. */
extern const struct conv_way conv_pointwise;

/* Pictures with small windows, read as they lie (PLAIN). oneDNN wants them as planes, which takes a
 * pass over them, and computes few channels slowly. */
extern const struct conv_way conv_picture;

/* 3x3 windows by Winograd's F(4x4, 3x3) in f32, also of tensors in bf16. A tile of 4x4 outputs
 * takes a quarter of the multiplications that a direct convolution needs, with stride 2 (forward,
 * f32) 9/16 of them. */
extern const struct conv_way conv_winograd;

#endif
