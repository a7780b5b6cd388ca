/*
 * launch.h - the kernels of the cuda backend as C functions: they put work on the queue's stream
 * and return. Pointers are the device's; sums have a fixed order: equal input gives equal bytes.
 *
 * Numbers are f32 unless an array says bf16. Layout is NHWC, weights are KRSC. NULL stands for
 * operands that are absent. Elements of an array are counted in 31 bits (launch_fits).
 *
 * Errors: a launch that fails leaves the device's sticky error.
 */
#ifndef ENGINE_BACKEND_CUDA_LAUNCH_H
#define ENGINE_BACKEND_CUDA_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where work goes, and what of the card kernels are chosen by. */
struct queue {
    void *stream;
    int processors;      /* multiprocessors to fill */
    size_t shared_bytes; /* shared memory that a block may have, if it asks for it */
    int cluster_most;    /* blocks that may work together as a cluster; 1: there are no clusters */
    bool tensor_cores;   /* for bf16: sm_80 and later */
};

struct array {
    void *data;
    bool bf16;
};

/* Pixels times channels, as most kernels see an activation. */
struct extent {
    uint32_t pixels, channels;
};

enum launch_act { LAUNCH_ACT_NONE, LAUNCH_ACT_RELU, LAUNCH_ACT_RELU6 };
enum { LAUNCH_TOGETHER = 64 }; /* of what one launch may do many of */

/* --- pictures --- */

/* Rows of the batch that begins at step->first of the order; count: pictures of the data set. */
struct gather_args {
    const uint8_t *images;
    const int32_t *labels, *order;
    uint8_t *image;
    int32_t *label, *index; /* index may be NULL */
    const void *step;
    uint32_t batch, count, picture_bytes;
};
void launch_gather(const struct queue *queue, const struct gather_args *args);

/* y = (x / 255 - mean) / deviation. */
struct normalize_args {
    const uint8_t *x;
    struct array y;
    struct extent extent;
    float mean[4], deviation[4];
};
void launch_normalize(const struct queue *queue, const struct normalize_args *args);

/* step is the device's struct step. */
struct augment_args {
    const uint8_t *x;
    const int32_t *index;
    uint8_t *y;
    const void *step;
    int n, h, w, c, padding;
    bool flip;
};
void launch_augment(const struct queue *queue, const struct augment_args *args);

/* --- element by element --- */

/* y = act(x scale + shift), or act(x) without scale, or x + b; b has y's elements, scale and shift
 * one a channel. */
struct map_args {
    struct array x, b, y;
    const float *scale, *shift;
    struct extent extent;
    enum launch_act act;
};
void launch_scale_act(const struct queue *queue, const struct map_args *args);
void launch_add(const struct queue *queue, const struct map_args *args);

/* Copies rows of x_channels numbers as rows of y_channels, from f32 to bf16 or back, or in bf16;
 * what a row of y has more becomes 0. At most LAUNCH_TOGETHER, in no order. */
struct reorder {
    struct array x, y;
    uint32_t rows;
    int x_channels, y_channels;
};
void launch_reorders(const struct queue *queue, const struct reorder *of, int count);

/* Channels first_x.. of x become channels first_y.. of y, count of each pixel. Without
 * shuffle groups is 1. */
struct channels_args {
    struct array x, y;
    uint32_t pixels;
    int x_channels, y_channels, first_x, first_y, count, groups;
};
void launch_channels(const struct queue *queue, const struct channels_args *args);

/* --- batch norm --- */

struct norm_args {
    struct array x, residual, y;
    const float *gamma, *beta;
    float *mean, *var;
    struct extent extent;
    float eps;
    enum launch_act act;
    void *workspace;
};
struct norm_bwd_args {
    struct array dy, dy2, x, y, dx, dresidual;
    const float *gamma, *beta, *mean, *var;
    float *dgamma, *dbeta;
    struct extent extent;
    float eps;
    enum launch_act act;
    void *workspace;
};
void launch_bn_act(const struct queue *queue, const struct norm_args *args);
void launch_bn_act_bwd(const struct queue *queue, const struct norm_bwd_args *args);
size_t launch_norm_workspace_bytes(const struct queue *queue, struct extent extent, bool bf16);

/* out[c] = sum over pixels of x; workspace as for a batch norm. */
void launch_channel_sums(const struct queue *queue, struct array x, struct extent extent,
                         float *out, void *workspace);

struct bn_params_args {
    const float *weight, *gamma, *beta, *mean, *var, *conv_bias;
    float *out, *out2;  /* folded weight and bias; scale and shift */
    int channels, taps; /* taps: weights of an output channel */
    float eps;
};
void launch_fold_bn(const struct queue *queue, const struct bn_params_args *args);
void launch_bn_scale(const struct queue *queue, const struct bn_params_args *args);

/* Running statistics of some layers, at most LAUNCH_TOGETHER. */
struct bn_update {
    const float *mean, *var;
    float *running_mean, *running_var;
    int channels;
    float momentum, unbias;
};
void launch_bn_updates(const struct queue *queue, const struct bn_update *updates, int count);

/* Weights and bias times gamma, one of an output channel. */
void launch_fold_scale(const struct queue *queue, const struct bn_params_args *args);

/* --- pooling --- */

struct pool_args {
    struct array x, y, dy, dx;
    int n, h, w, c, yh, yw;
    int kernel, stride, pad;
    bool average;
};
void launch_pool(const struct queue *queue, const struct pool_args *args);
void launch_pool_bwd(const struct queue *queue, const struct pool_args *args);
void launch_global_pool(const struct queue *queue, const struct pool_args *args);
void launch_global_pool_bwd(const struct queue *queue, const struct pool_args *args);

/* --- convolutions and products --- */

/* Convolutions without a library: every group count, no tensor cores. Sizes are the forward conv's;
 * y is dy in the gradients. */
struct conv_args {
    struct array x, y, residual; /* conv reads x, writes y; conv_dx reads y, writes x */
    const float *weight, *bias;
    float *dweight;
    int n, h, w, c, yh, yw, k, r, s;
    int stride, pad, groups;
    enum launch_act act;
    void *workspace;
};
void launch_conv(const struct queue *queue, const struct conv_args *args);
void launch_conv_dx(const struct queue *queue, const struct conv_args *args);
void launch_conv_dw(const struct queue *queue, const struct conv_args *args);
size_t launch_conv_dw_workspace_bytes(const struct queue *queue, const struct conv_args *args);

/* c[i][j] = act(sum over l of a(i, l) b(l, j) + bias[j]) + residual[i][j]; strides in elements. */
struct product_args {
    struct array a, b, c, residual;
    const float *bias;
    bool gelu;
    int rows, columns, inner;
    int a_row, a_inner, b_inner, b_column; /* c is dense */
};
void launch_product(const struct queue *queue, const struct product_args *args);

#ifdef __cplusplus
}
#endif
#endif
