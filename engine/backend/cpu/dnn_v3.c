#include "engine/backend/cpu/dnn_version.h"

void *dnn_md_create(int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                    dnnl_format_tag_t tag) {
    dnnl_memory_desc_t md = NULL;
    if (dnnl_memory_desc_create_with_tag(&md, rank, dims, type, tag) != dnnl_success)
        return NULL;
    return md;
}

void dnn_md_free(void *md) {
    if (md)
        dnnl_memory_desc_destroy(md);
}

dnnl_status_t dnn_append_sum(dnnl_post_ops_t post_ops) {
    return dnnl_post_ops_append_sum(post_ops, 1, 0, dnnl_data_type_undef);
}

dnnl_status_t dnn_append_eltwise(dnnl_post_ops_t post_ops, dnnl_alg_kind_t f, float alpha,
                                 float beta) {
    return dnnl_post_ops_append_eltwise(post_ops, f, alpha, beta);
}

typedef dnnl_status_t create_fn(dnnl_primitive_desc_t *out, const struct dnn_conv_desc *d);

static const dnnl_dims_t NOT_DILATED = {0};

static dnnl_status_t create_forward(dnnl_primitive_desc_t *out, const struct dnn_conv_desc *d) {
    return dnnl_convolution_forward_primitive_desc_create(
        out, d->engine, d->kind, d->algorithm, d->x, d->weight, d->bias, d->y, d->strides,
        NOT_DILATED, d->padding, d->padding, d->attr);
}

static dnnl_status_t create_data(dnnl_primitive_desc_t *out, const struct dnn_conv_desc *d) {
    return dnnl_convolution_backward_data_primitive_desc_create(
        out, d->engine, d->algorithm, d->x, d->weight, d->y, d->strides, NOT_DILATED, d->padding,
        d->padding, d->forward, d->attr);
}

static dnnl_status_t create_weights(dnnl_primitive_desc_t *out, const struct dnn_conv_desc *d) {
    return dnnl_convolution_backward_weights_primitive_desc_create(
        out, d->engine, d->algorithm, d->x, d->weight, NULL, d->y, d->strides, NOT_DILATED,
        d->padding, d->padding, d->forward, d->attr);
}

dnnl_status_t dnn_conv_desc_create(dnnl_primitive_desc_t *out, const struct dnn_conv_desc *desc) {
    static create_fn *const create[] = {create_forward, create_data, create_weights};
    return create[desc->direction](out, desc);
}

dnnl_status_t dnn_matmul_desc_create(dnnl_primitive_desc_t *out,
                                     const struct dnn_matmul_desc *desc) {
    return dnnl_matmul_primitive_desc_create(out, desc->engine, desc->x, desc->weight, desc->bias,
                                             desc->y, desc->attr);
}
