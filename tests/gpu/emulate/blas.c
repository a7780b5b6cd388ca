/*
 * cuBLASLt's products on the host, by the definition of its matrices, which lie column after
 * column: what the backend makes of a problem (blas_view_of), and all that the library takes part
 * in, is held to ref like the kernels. It is no result of the library.
 */
#include "engine/backend/cuda/blas.h"
#include "engine/base/mem.h"
#include "tests/gpu/emulate/numbers.h"
#include "tests/gpu/emulate/record.h"

#include <stdlib.h>

struct blas_plan_state {
    struct blas_problem problem;
    struct blas_plan *next;
};

struct blas {
    struct blas_plan *first;
};

enum status blas_open(struct blas **out, void *stream, struct error *err) {
    (void)stream;
    (void)err;
    *out = xcalloc(1, sizeof **out);
    return STATUS_OK;
}

void blas_close(struct blas *blas) {
    struct blas_plan *plan = blas ? blas->first : NULL;
    while (plan) {
        struct blas_plan *next = plan->state->next;
        free(plan->state);
        free(plan);
        plan = next;
    }
    free(blas);
}

const struct blas_plan *blas_plan_of(struct blas *blas, const struct blas_problem *problem) {
    struct blas_plan *plan = xcalloc(1, sizeof *plan);
    plan->workspace_bytes = 1; /* what lies behind it must not start at 0 */
    plan->state = xcalloc(1, sizeof *plan->state);
    *plan->state = (struct blas_plan_state){*problem, blas->first};
    blas->first = plan;
    return plan;
}

/* Where element (row, column) of a matrix is, as it is multiplied. */
static int64_t place(const struct blas_matrix *matrix, int row, int column) {
    int r = matrix->transposed ? column : row, c = matrix->transposed ? row : column;
    CHECK(r < matrix->rows && c < matrix->columns && matrix->rows <= matrix->stride);
    return r + (int64_t)c * matrix->stride;
}

static float element(const struct blas_problem *problem, const struct blas_view *view,
                     const struct blas_operands *operands, int row, int column) {
    int64_t at = place(&view->out, row, column);
    float sum = 0;
    for (int l = 0; l < problem->inner; l++)
        sum += number_load(operands->b, problem->bf16, place(&view->left, row, l)) *
               number_load(operands->a, problem->bf16, place(&view->right, l, column));
    if (problem->residual)
        sum += number_load(operands->residual, problem->c_bf16, at);
    if (problem->bias)
        sum += number_load(operands->bias, problem->c_bf16, row);
    return problem->relu && sum < 0 ? 0 : sum;
}

struct product {
    struct blas_problem problem;
    struct blas_operands operands;
};

static void run_product(const void *args) {
    const struct product *product = args;
    const struct blas_problem *problem = &product->problem;
    struct blas_view view = blas_view_of(problem);
    for (int column = 0; column < view.out.columns; column++)
        for (int row = 0; row < view.out.rows; row++)
            number_store(product->operands.c, problem->c_bf16, place(&view.out, row, column),
                         element(problem, &view, &product->operands, row, column));
}

void blas_run(struct blas *blas, const struct blas_plan *plan,
              const struct blas_operands *operands) {
    struct product product = {plan->state->problem, *operands};
    (void)blas;
    record_work(run_product, &product, sizeof product);
}
