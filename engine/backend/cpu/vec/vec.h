/*
 * vec.h - the inner loops that are no convolution, compiled once for each instruction set.
 *
 * A blocked tensor is [n][channels / lanes][h w][lanes], f32 or bf16, padded with zeros. One plane
 * is a run of numbers for which n is a multiple of lanes. Arrays by lane hold one number for each
 * channel of the block. Functions that exist for both types are arrays: [0] f32, [1] bf16.
 *
 * All loops compute in f32. Sums of batch norms, means of planes and the loss go on in double after
 * short stretches in f32, those of squares are in double; all others stay in f32 over their whole
 * length: products, sums over columns, tokens and pictures, layer norm, attention. Results depend
 * on the instruction set but on nothing else.
 *
 * Threads: pure functions; the caller cuts the work into ranges.
 */
#ifndef ENGINE_BACKEND_CPU_VEC_VEC_H
#define ENGINE_BACKEND_CPU_VEC_VEC_H

#include "engine/backend/cpu/vec/vec_optimizer.h"
#include "engine/backend/cpu/vec/vec_token.h"
#include "engine/backend/cpu/vec/vec_winograd.h"

enum { VEC_MAX_LANES = 16 };

/* What tells a batch norm where the activation lets gradients pass. */
enum vec_gate { VEC_ALL_PASS, VEC_GATE_OF_Y, VEC_GATE_OF_X };

/* The tensors of a batch norm and its numbers by channel. Absent ones are NULL. */
struct vec_norm {
    const void *x, *residual; /* forward */
    void *y;                  /* forward: written; backward: read */
    enum activation act;
    enum vec_gate gate; /* backward */
    const void *dy, *dy2;
    void *dresidual, *dx;
    const float *mean, *scale, *beta; /* y = (x - mean) scale + beta */
    const float *mean_g, *slope;      /* dx = scale (g - mean_g - (x - mean) slope) */
};

/* Pooling of planes, and its gradient. */
struct vec_pool {
    const void *x, *dy; /* x of a gradient: for maxima only */
    void *y, *dx;
    float *sum; /* of the gradient: scratch of a plane of x */
    int h, w, y_h, y_w, kernel, stride, pad;
    bool average;
};

/* A block's channels in a PLAIN tensor. */
struct vec_pixels {
    void *first;
    int channels; /* from one pixel to the next */
    int width;    /* channels of the block, the rest of the lanes is padding */
    bool bf16;    /* else f32 */
};

/* A convolution of a few channels to one block of output channels, in a line of a picture. */
struct vec_picture {
    const float *x;      /* where the first pixel's window begins; padding is there */
    size_t row;          /* from one line of x to the next */
    int lines, line;     /* of a window, and its numbers in one of them */
    int step;            /* from one window to the next */
    const float *weight; /* [lines][line][lanes] */
    const float *bias;   /* [lanes] */
    void *y;
    enum activation act;
};

/* A 1x1 convolution of some input channels to one block of output channels. */
struct vec_pointwise {
    const void *x;      /* the first pixel of the first block of all input channels */
    size_t x_block;     /* numbers from one block to the next */
    int first, last;    /* in bf16 even */
    const void *weight; /* [last - first][lanes]; in bf16 [(last - first) / 2][lanes][2] */
    const float *bias;  /* [lanes] */
    const void *residual;
    void *y;
    enum activation act;
};

/* Two planes that are multiplied pixel by pixel. */
struct vec_products {
    const void *x, *dy;
    size_t x_at, dy_at, n; /* where they begin, and their numbers */
};

/* A matrix product out[rows][columns] = left right in f32. */
struct vec_product {
    const float *left; /* element (i, k) at left[i * left_row + k * left_step] */
    size_t left_row, left_step;
    const float *right; /* row k at right[k * right_row]; by_dot: row j of columns */
    size_t right_row;
    float *out;
    size_t out_row;
    const float *bias; /* [columns] or NULL; by_dot only */
    int depth;
    bool adds; /* to what out holds; not by_dot */
};

/* The loss of a batch (spec/loss.h). */
struct vec_loss {
    struct loss_terms terms;        /* with the step's weights */
    const float *student, *teacher; /* teacher NULL: distill_weight is 0 */
    const int32_t *label;
    float *rows, *gradient; /* gradient may be NULL */
    int classes;
    double gradient_scale; /* 1 / batch */
};

struct vec_kernels {
    const char *name;
    int lanes;
    bool fma; /* multiplies and adds in one instruction */

    /* sums[lane] += x - shift, sums[lanes + lane] += (x - shift)^2, over numbers at..at+n-1. */
    void (*norm_moments[2])(const void *x, size_t at, size_t n, const float *shift, double *sums);
    /* y of numbers at..at+n-1, whose channels begin at channel. */
    void (*norm_apply[2])(const struct vec_norm *norm, size_t at, size_t n, int channel);
    /* sums[lane] += g, sums[lanes + lane] += g (x - mean); writes dresidual if wanted. */
    void (*norm_gradient[2])(const struct vec_norm *norm, size_t at, size_t n, int channel,
                             double *sums);
    /* dx, with g from dresidual if there is one. */
    void (*norm_dx[2])(const struct vec_norm *norm, size_t at, size_t n, int channel);

    void (*add[2])(const void *a, const void *b, void *y, size_t at, size_t n);
    /* mean[lane] of numbers at..at+n-1, and the same number to all pixels of a plane. */
    void (*pool_mean[2])(const void *x, size_t at, size_t n, float *mean);
    void (*pool_fill[2])(void *x, size_t at, size_t n, const float *value);
    /* The plane of x that begins at x_at, that of y at y_at. */
    void (*pool[2])(const struct vec_pool *pool, size_t x_at, size_t y_at);
    void (*pool_dx[2])(const struct vec_pool *pool, size_t x_at, size_t y_at);
    /* Numbers at..at+n-1 from or to the channels of as many pixels. */
    void (*block_in[2])(const struct vec_pixels *pixels, void *x, size_t at, size_t n);
    void (*block_out[2])(const struct vec_pixels *pixels, const void *x, size_t at, size_t n);

    /* At most lanes pixels of a plane, whose numbers begin at at: the bits of a lane in all pixels
     * become rows[lane][pixel]; out makes lane i of row[i]. */
    void (*rows_in[2])(const void *x, size_t at, int pixels, uint32_t *rows);
    void (*rows_out[2])(const uint32_t *const row[], void *y, size_t at, int pixels);

    /* So many pixels of y from number y_at on. */
    void (*picture[2])(const struct vec_picture *picture, size_t y_at, int count);
    /* So many pixels of y from number y_at on, where x begins at its first. */
    void (*pointwise[2])(const struct vec_pointwise *pointwise, size_t y_at, int pixels);
    /* sums[lane of x][lane of dy] += x dy over the planes. */
    void (*pointwise_dw[2])(const struct vec_products *products, float *sums);

    /* Winograd's transforms (vec_winograd.h); those that end in 2 are of stride 2, in f32. */
    vec_tile_fn *tile_in[2], *tile_spread[2], *tile_out[2], *tile_in_2, *tile_out_2;
    vec_taps_fn *taps_in, *taps_out, *taps_in_2;

    /* Rows i..i_end-1 and columns j..j_end-1 of a product; by_dot where right holds columns. */
    void (*product)(const struct vec_product *product, int i, int i_end, int j, int j_end);
    void (*product_by_dot)(const struct vec_product *product, int i, int i_end, int j, int j_end);
    /* sum[j] = sum over rows of x[row * stride + j], for n columns. */
    void (*column_sums)(const float *x, int rows, size_t stride, float *sum, int n);

    /* Rows begin..end-1. bwd adds gradients of gamma, then beta, to sums. */
    void (*layer_norm)(const struct vec_layer_norm *norm, size_t begin, size_t end);
    void (*layer_norm_bwd)(const struct vec_layer_norm *norm, size_t begin, size_t end,
                           float *sums);
    /* Numbers begin..end-1. */
    void (*gelu[2])(const void *x, void *y, size_t begin, size_t end);
    void (*gelu_bwd[2])(const void *dy, const void *x, void *dx, size_t begin, size_t end);
    void (*to_bf16)(const float *from, void *to, size_t begin, size_t end);
    void (*to_f32)(const void *from, float *to, size_t begin, size_t end);
    /* Tokens begin..end-1 of all pictures. bwd adds the gradient of scale to sums unless NULL. */
    void (*residual[2])(const struct vec_residual *it, int begin, int end);
    void (*residual_bwd[2])(const struct vec_residual *it, int begin, int end, float *sums);
    /* sums[i] = sum of channel i of tokens begin..end-1. */
    void (*token_sums[2])(const void *x, int channels, int begin, int end, float *sums);
    /* Picture n; or the sum over all pictures of token t. */
    void (*embed[2])(const struct vec_embed *it, int n);
    void (*embed_bwd[2])(const struct vec_embed *it, int n);
    void (*embed_sums[2])(const struct vec_embed *it, int t, float *sum);
    /* scratch of attention_floats; bwd is of all queries of a head. */
    size_t (*attention_floats)(int tokens, int width);
    void (*attention[2])(const struct vec_attention *it, const struct vec_queries *queries,
                         float *scratch);
    void (*attention_bwd[2])(const struct vec_attention *it, int head, float *scratch);

    /* Rows begin..end-1; scratch holds vec_loss_scratch_floats(classes). */
    void (*loss)(const struct vec_loss *loss, int begin, int end, float *scratch);
    void (*sgd)(const struct vec_sgd *sgd, size_t begin, size_t end);
    void (*adamw)(const struct vec_adamw *adamw, size_t begin, size_t end);
    /* Sum of the squares of x[begin..end-1]. */
    double (*squares)(const float *x, size_t begin, size_t end);
};

/* Scratch of one worker in the loss. */
static inline size_t vec_loss_scratch_floats(int classes) {
    return 2 * (((size_t)classes + VEC_MAX_LANES - 1) & ~(size_t)(VEC_MAX_LANES - 1));
}

/* The best table for a processor with these instructions; bf16 are AVX-512's. */
const struct vec_kernels *vec_choose(bool avx2, bool avx512, bool bf16);

#endif
