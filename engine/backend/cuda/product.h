/*
 * product.h - the matrix product of an op: by cuBLASLt where it has an algorithm.
 *
 * It is that of a layer with x [n,c], weight [k,c] and y [n,k], or of one of its gradients; n
 * counts everything in front of the channels. Input 0 and 1 of the op are multiplied, inputs 2 and
 * 3 are bias and residual if it has them, output 0 is the product.
 *
 * Activations in bf16 want weights in bf16 (weight.h). Where cuBLASLt has no algorithm, or the
 * types of operands are mixed, there is no plan; product_run then takes the own kernel of launch.h.
 *
 * Ownership: product_release frees; zeroed storage is empty.
 */
#ifndef ENGINE_BACKEND_CUDA_PRODUCT_H
#define ENGINE_BACKEND_CUDA_PRODUCT_H

#include "engine/backend/cuda/weight.h"

enum product_kind { PRODUCT_Y, PRODUCT_DX, PRODUCT_DW };

struct product {
    struct product_args shape;    /* without data */
    const struct blas_plan *plan; /* NULL: own kernel, which knows no ReLU */
    struct weight weight;         /* input 1, where it is converted */
};

/* Returns how much workspace a run needs. relu is behind residual and bias. */
size_t product_prepare(struct product *product, const struct kernel_context *context,
                       enum product_kind kind, bool relu);
void product_run(const struct product *product, const struct kernel_args *args); /* Enqueues it. */
void product_release(struct product *product, struct device *device);            /* Or zeroed. */

#endif
