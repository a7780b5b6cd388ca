/*
 * weight.h - weights and bias of an op in bf16, as the libraries want them beside activations in
 * bf16. They are converted on every run, those that the program keeps once by refresh.
 *
 * Weights are input 1 of the op, the bias is input 2.
 *
 * Ownership: weight_release frees what refresh has kept.
 */
#ifndef ENGINE_BACKEND_CUDA_WEIGHT_H
#define ENGINE_BACKEND_CUDA_WEIGHT_H

#include "engine/backend/cuda/cuda_internal.h"

struct weight {
    void *kept;               /* converted by refresh, the bias behind it; NULL: on every run */
    size_t offset;            /* of what a run converts, in the workspace */
    size_t bytes, bias_bytes; /* converted and aligned; 0: it is used as it is */
    int channels;             /* of x, filled up with zeros */
};

/* Bytes up to the next boundary that operands of a library lie at. */
size_t weight_aligned(size_t bytes);

/* Sets all but kept, for a weight of this shape that lies behind offset bytes of workspace; returns
 * the offset behind it. */
size_t weight_lay_out(struct weight *weight, struct shape shape, int channels, bool bias,
                      size_t offset);

/* Converts once for all runs; without memory, or where nothing is converted, it does nothing. */
void weight_refresh(struct weight *weight, const struct kernel_args *args);

/* Where weight and bias are as the library wants them; converts them if need be. */
void weight_operands(const struct weight *weight, const struct kernel_args *args, void **out,
                     void **bias);
void weight_release(struct weight *weight, struct device *device); /* Zeroed or laid out. */

/* Copies from_channels of each pixel, and zeros up to to_channels or fewer of them. */
void copy_channels(const struct kernel_args *args, struct array from, int from_channels,
                   struct array to, int to_channels, uint32_t pixels);

#endif
