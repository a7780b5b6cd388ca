/*
 * vec_members.h - the functions that table.c names; for the files of this folder only.
 *
 * What each does stands at the members of struct vec_kernels (vec.h).
 */
#ifndef ENGINE_BACKEND_CPU_VEC_VEC_MEMBERS_H
#define ENGINE_BACKEND_CPU_VEC_VEC_MEMBERS_H

#include "engine/backend/cpu/vec/vec_internal.h"

/* The members of struct vec_kernels, one instance for each instruction set. */
#define VEC_BOTH(name, ...)                                                                        \
    void VEC(name##_f32)(__VA_ARGS__);                                                             \
    void VEC(name##_bf16)(__VA_ARGS__)

VEC_BOTH(norm_moments, const void *x, size_t at, size_t n, const float *shift, double *sums);
VEC_BOTH(norm_apply, const struct vec_norm *norm, size_t at, size_t n, int channel);
VEC_BOTH(norm_gradient, const struct vec_norm *norm, size_t at, size_t n, int channel,
         double *sums);
VEC_BOTH(norm_dx, const struct vec_norm *norm, size_t at, size_t n, int channel);
VEC_BOTH(add, const void *a, const void *b, void *y, size_t at, size_t n);
VEC_BOTH(pool_mean, const void *x, size_t at, size_t n, float *mean);
VEC_BOTH(pool_fill, void *x, size_t at, size_t n, const float *value);
VEC_BOTH(pool, const struct vec_pool *it, size_t x_at, size_t y_at);
VEC_BOTH(pool_dx, const struct vec_pool *it, size_t x_at, size_t y_at);
VEC_BOTH(block_in, const struct vec_pixels *pixels, void *x, size_t at, size_t n);
VEC_BOTH(block_out, const struct vec_pixels *pixels, const void *x, size_t at, size_t n);
VEC_BOTH(rows_in, const void *x, size_t at, int pixels, uint32_t *rows);
VEC_BOTH(rows_out, const uint32_t *const row[], void *y, size_t at, int pixels);
VEC_BOTH(picture, const struct vec_picture *it, size_t y_at, int count);
VEC_BOTH(pointwise, const struct vec_pointwise *it, size_t y_at, int pixels);
VEC_BOTH(pointwise_dw, const struct vec_products *it, float *sums);
VEC_BOTH(tile_in, const struct vec_tile *it);
VEC_BOTH(tile_spread, const struct vec_tile *it);
VEC_BOTH(tile_out, const struct vec_tile *it);
void VEC(taps_in)(const struct vec_taps *it, int k, int c);
void VEC(taps_out)(const struct vec_taps *it, int k, int c);
void VEC(tile_in_2)(const struct vec_tile *it);
void VEC(tile_out_2)(const struct vec_tile *it);
void VEC(taps_in_2)(const struct vec_taps *it, int k, int c);
void VEC(product)(const struct vec_product *product, int i, int i_end, int j, int j_end);
void VEC(product_of_pairs)(const struct vec_product *product, int i, int i_end, int j, int j_end);
void VEC(product_by_dot)(const struct vec_product *product, int i, int i_end, int j, int j_end);
void VEC(column_sums)(const float *x, int rows, size_t stride, float *sum, int n);
void VEC(loss)(const struct vec_loss *loss, int begin, int end, float *scratch);
void VEC(sgd)(const struct vec_sgd *sgd, size_t begin, size_t end);
void VEC(adamw)(const struct vec_adamw *adamw, size_t begin, size_t end);
double VEC(squares)(const float *x, size_t begin, size_t end);
void VEC(layer_norm)(const struct vec_layer_norm *norm, size_t begin, size_t end);
void VEC(layer_norm_bwd)(const struct vec_layer_norm *norm, size_t begin, size_t end, float *sums);
VEC_BOTH(gelu, const void *x, void *y, size_t begin, size_t end);
VEC_BOTH(gelu_bwd, const void *dy, const void *x, void *dx, size_t begin, size_t end);
VEC_BOTH(residual, const struct vec_residual *it, int begin, int end);
VEC_BOTH(residual_bwd, const struct vec_residual *it, int begin, int end, float *sums);
VEC_BOTH(token_sums, const void *x, int channels, int begin, int end, float *sums);
VEC_BOTH(embed, const struct vec_embed *it, int n);
VEC_BOTH(embed_bwd, const struct vec_embed *it, int n);
VEC_BOTH(embed_sums, const struct vec_embed *it, int t, float *sum);
void VEC(to_bf16)(const float *from, void *to, size_t begin, size_t end);
void VEC(to_f32)(const void *from, float *to, size_t begin, size_t end);
VEC_BOTH(attention, const struct vec_attention *it, const struct vec_queries *queries,
         float *scratch);
VEC_BOTH(attention_bwd, const struct vec_attention *it, int head, float *scratch);
size_t VEC(attention_floats)(int tokens, int width);
extern const struct vec_kernels VEC(vec);

#endif
