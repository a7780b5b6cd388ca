#include "engine/backend/cpu/dnn_version.h"

#include "engine/base/mem.h"

#include <stdlib.h>

void *dnn_md_create(int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                    dnnl_format_tag_t tag) {
    dnnl_memory_desc_t *md = xmalloc(sizeof *md);
    if (dnnl_memory_desc_init_by_tag(md, rank, dims, type, tag) == dnnl_success)
        return md;
    free(md);
    return NULL;
}

void dnn_md_free(void *md) {
    free(md);
}

dnnl_status_t dnn_append_sum(dnnl_post_ops_t post_ops) {
    return dnnl_post_ops_append_sum(post_ops, 1);
}

dnnl_status_t dnn_append_eltwise(dnnl_post_ops_t post_ops, dnnl_alg_kind_t f, float alpha,
                                 float beta) {
    return dnnl_post_ops_append_eltwise(post_ops, 1, f, alpha, beta);
}

typedef dnnl_status_t init_fn(dnnl_convolution_desc_t *out, const struct dnn_conv_desc *d);

static dnnl_status_t init_forward(dnnl_convolution_desc_t *out, const struct dnn_conv_desc *d) {
    return dnnl_convolution_forward_desc_init(out, d->kind, d->algorithm, d->x, d->weight, d->bias,
                                              d->y, d->strides, d->padding, d->padding);
}

static dnnl_status_t init_data(dnnl_convolution_desc_t *out, const struct dnn_conv_desc *d) {
    return dnnl_convolution_backward_data_desc_init(out, d->algorithm, d->x, d->weight, d->y,
                                                    d->strides, d->padding, d->padding);
}

static dnnl_status_t init_weights(dnnl_convolution_desc_t *out, const struct dnn_conv_desc *d) {
    return dnnl_convolution_backward_weights_desc_init(out, d->algorithm, d->x, d->weight, NULL,
                                                       d->y, d->strides, d->padding, d->padding);
}

dnnl_status_t dnn_conv_desc_create(dnnl_primitive_desc_t *out, const struct dnn_conv_desc *desc) {
    static init_fn *const init[] = {init_forward, init_data, init_weights};
    dnnl_convolution_desc_t conv;
    dnnl_status_t status = init[desc->direction](&conv, desc);
    if (status != dnnl_success)
        return status;
    return dnnl_primitive_desc_create(out, &conv, desc->attr, desc->engine, desc->forward);
}

dnnl_status_t dnn_matmul_desc_create(dnnl_primitive_desc_t *out,
                                     const struct dnn_matmul_desc *desc) {
    dnnl_matmul_desc_t matmul;
    dnnl_status_t status =
        dnnl_matmul_desc_init(&matmul, desc->x, desc->weight, desc->bias, desc->y);
    if (status != dnnl_success)
        return status;
    return dnnl_primitive_desc_create(out, &matmul, desc->attr, desc->engine, NULL);
}
