/*
 * dnn_version.h - what differs between oneDNN 2 and 3; for dnn*.c only.
 *
 * A memory descriptor is a struct in one and a handle in the other. Both are passed by pointer, so
 * the code above knows it as an untyped pointer.
 */
#ifndef ENGINE_BACKEND_CPU_DNN_VERSION_H
#define ENGINE_BACKEND_CPU_DNN_VERSION_H

#include "engine/backend/cpu/dnn.h"

#include <oneapi/dnnl/dnnl.h>

/* A descriptor of the caller's, or NULL; freed by dnn_md_free, which allows NULL. */
void *dnn_md_create(int rank, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag);
void dnn_md_free(void *md);

dnnl_status_t dnn_append_sum(dnnl_post_ops_t post_ops); /* y += what it held before */
/* y = f(y); oneDNN's elementwise functions have up to two numbers. */
dnnl_status_t dnn_append_eltwise(dnnl_post_ops_t post_ops, dnnl_alg_kind_t f, float alpha,
                                 float beta);

/* A convolution of one of the directions. */
struct dnn_conv_desc {
    dnnl_engine_t engine;
    enum dnn_direction direction;
    dnnl_prop_kind_t kind; /* forward only */
    dnnl_alg_kind_t algorithm;
    const void *x, *weight, *bias, *y; /* memory descriptors; bias may be NULL */
    dnnl_dims_t strides, padding;
    const_dnnl_primitive_attr_t attr;
    const_dnnl_primitive_desc_t forward; /* hint of the backward directions */
};
dnnl_status_t dnn_conv_desc_create(dnnl_primitive_desc_t *out, const struct dnn_conv_desc *desc);

/* A matrix product: y = x weight + bias. */
struct dnn_matmul_desc {
    dnnl_engine_t engine;
    const void *x, *weight, *bias, *y; /* memory descriptors; bias may be NULL */
    const_dnnl_primitive_attr_t attr;
};
dnnl_status_t dnn_matmul_desc_create(dnnl_primitive_desc_t *out,
                                     const struct dnn_matmul_desc *desc);

#endif
