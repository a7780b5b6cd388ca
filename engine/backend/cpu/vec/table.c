#include "engine/backend/cpu/vec/vec_internal.h"

#define ROW(name) .name = {VEC(name##_f32), VEC(name##_bf16)}

const struct vec_kernels VEC(vec) = {
    .name = VEC_TEXT(VEC_ISA),
    .lanes = VEC_LANES,
    ROW(norm_moments),
    ROW(norm_apply),
    ROW(norm_gradient),
    ROW(norm_dx),
    ROW(add),
    ROW(pool_mean),
    ROW(pool_fill),
    ROW(pool),
    ROW(pool_dx),
    ROW(block_in),
    ROW(block_out),
    ROW(pointwise),
    ROW(pointwise_dw),
    .product = VEC(product),
    .product_by_dot = VEC(product_by_dot),
    .column_sums = VEC(column_sums),
    .loss = VEC(loss),
    .sgd = VEC(sgd),
};
