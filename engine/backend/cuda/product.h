/*
 * product.h - the matrix product of an op: by cuBLASLt where it has an algorithm.
 *
 * It is that of a layer with x [n,c], weight [k,c] and y [n,k], or of one of its gradients; n
 * counts everything in front of the channels. Input 0 and 1 of the op are multiplied, inputs 2 and
 * 3 are bias and residual if it has them, output 0 is the product.
 *
 * Where cuBLASLt has no algorithm, or the types of operands are mixed, there is no plan;
 * product_run then takes the own kernel of launch.h.
 */
#ifndef ENGINE_BACKEND_CUDA_PRODUCT_H
#define ENGINE_BACKEND_CUDA_PRODUCT_H

#include "engine/backend/cuda/cuda_internal.h"

enum product_kind { PRODUCT_Y, PRODUCT_DX, PRODUCT_DW };

struct product {
    struct product_args shape;    /* without data */
    const struct blas_plan *plan; /* NULL: own kernel, which knows no ReLU */
};

/* The product of an op, whatever formats its context has. relu is behind residual and bias. */
struct product product_of(const struct kernel_context *context, enum product_kind kind, bool relu);

/* Where activations are in bf16, asks for copies in bf16 of the other operands that the plan needs
 * in bf16. */
void product_formats(const struct product *product, struct kernel_context *context);
void product_run(const struct product *product, const struct kernel_args *args); /* Enqueues it. */

#endif
