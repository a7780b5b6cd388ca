/*
 * blas.h - matrix products by cuBLASLt: a plan for a problem, as dnn.h has them for convolutions.
 *
 * The library is found at run time (library.h). Algorithms come from its heuristics alone, never
 * from timings, so that the same library and card choose the same one. Passed over are those that
 * add up in place or in less than f32 (parts of a sum may go through the workspace, in f32 and in a
 * fixed order), and in f32 those that compute with tensor cores.
 *
 * Ownership: plans belong to the struct blas, which keeps one for each problem.
 * Threads:   those of the device.
 */
#ifndef ENGINE_BACKEND_CUDA_BLAS_H
#define ENGINE_BACKEND_CUDA_BLAS_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* c[i][j] = relu(sum over l of a(i, l) b(l, j) + residual[i][j] + bias[j]). Strides are in
 * elements; one of a's and one of b's is 1, c and residual are dense. */
struct blas_problem {
    int rows, columns, inner;
    int a_row, a_inner, b_inner, b_column;
    int bf16;                 /* a and b, otherwise f32; sums are f32 */
    int c_bf16;               /* c, residual and bias; only beside a and b in bf16 */
    int tf32;                 /* a and b, if f32, may be rounded to TF32 */
    int bias, residual, relu; /* each 0 or 1 */
};

struct blas_plan {
    size_t workspace_bytes;
    int algorithm; /* cuBLASLt's number of it; -1 without a device */
    struct blas_plan_state *state;
};

struct blas;

/* Without a stream plans are descriptors without an algorithm, which cannot be run. */
MUST_CHECK enum status blas_open(struct blas **out, void *stream, struct error *err);
void blas_close(struct blas *blas); /* NULL is allowed. */

/* "cuBLASLt 13.1.0". */
const char *blas_version(const struct blas *blas);

/* The plan of a problem, or NULL: the library has none that is allowed. */
const struct blas_plan *blas_plan_of(struct blas *blas, const struct blas_problem *problem);

/* How many problems were asked for that have a plan, or that have none. */
int blas_count(const struct blas *blas, int planned);

/* Where operands lie on the device, aligned to 16 bytes; residual may be c. */
struct blas_operands {
    const void *a, *b, *bias, *residual;
    void *c, *workspace;
};

/* Enqueues it; a failure is kept for blas_failure. */
void blas_run(struct blas *blas, const struct blas_plan *plan,
              const struct blas_operands *operands);

/* The first failure of a run, or NULL. */
const char *blas_failure(const struct blas *blas);

/* --- how the library sees a problem --- */

/* A matrix that lies column after column, stride elements from one to the next; where transposed,
 * what is multiplied is its transpose. */
struct blas_matrix {
    int rows, columns, stride;
    bool transposed;
};

/* c lies row after row, so the library computes its transpose: left is b, right is a, and the bias
 * has an element a row of out. */
struct blas_view {
    struct blas_matrix left, right, out;
};
struct blas_view blas_view_of(const struct blas_problem *problem); /* Needs no library. */

#endif
