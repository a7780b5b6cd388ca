/*
 * conv.cuh - the own convolutions: one file for each kind, and how conv.cu chooses between them.
 */
#ifndef ENGINE_BACKEND_CUDA_KERNELS_CONV_CUH
#define ENGINE_BACKEND_CUDA_KERNELS_CONV_CUH

#include "engine/backend/cuda/kernels/device.cuh"

typedef void conv_launch_fn(const struct queue *queue, const struct conv_args *args);

struct conv_kind {
    bool (*fits)(const struct conv_args *args); /* by sizes alone: all three passes agree */
    conv_launch_fn *forward, *dx, *dw;
    size_t (*dw_workspace_bytes)(const struct conv_args *args);
};

extern const struct conv_kind conv_depthwise; /* 3x3, a group a channel */
extern const struct conv_kind conv_grouped;   /* 1x1, any number of groups */

#endif
