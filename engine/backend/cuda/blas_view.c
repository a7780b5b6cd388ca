#include "engine/backend/cuda/blas.h"

/* rows x columns elements of these strides, one of which is 1. The library wants a stride of at
 * least a column, even where there is only one column. */
static struct blas_matrix matrix_of(int rows, int columns, int row_stride, int column_stride) {
    if (row_stride == 1)
        return (struct blas_matrix){rows, columns, column_stride < rows ? rows : column_stride,
                                    false};
    return (struct blas_matrix){columns, rows, row_stride < columns ? columns : row_stride, true};
}

struct blas_view blas_view_of(const struct blas_problem *problem) {
    int m = problem->columns, n = problem->rows, k = problem->inner;
    return (struct blas_view){.left = matrix_of(m, k, problem->b_column, problem->b_inner),
                              .right = matrix_of(k, n, problem->a_inner, problem->a_row),
                              .out = matrix_of(m, n, 1, m)};
}
