#include "engine/backend/cpu/cpu_internal.h"

/* Products are cut between threads at multiples of this many rows or columns, so that the pieces
 * are those that one thread would make. */
enum { CUT = 32 };

struct job {
    const struct vec_kernels *vec;
    struct vec_product product;
    int rows, columns;
    bool by_dot;
};

static int cuts(int count) {
    return (count + CUT - 1) / CUT;
}

static int cut_end(int cut, int count) {
    return cut * CUT < count ? cut * CUT : count;
}

static void run_columns(const void *context, int begin, int end) {
    const struct job *job = context;
    (job->by_dot ? job->vec->product_by_dot : job->vec->product)(
        &job->product, 0, job->rows, begin * CUT, cut_end(end, job->columns));
}

static void run_rows(const void *context, int begin, int end) {
    const struct job *job = context;
    (job->by_dot ? job->vec->product_by_dot : job->vec->product)(
        &job->product, begin * CUT, cut_end(end, job->rows), 0, job->columns);
}

/* Along the longer side; sixteen multiply-adds are taken for the work of an element. */
static void run(const struct kernel_args *args, const struct job *job) {
    bool by_rows = job->rows > job->columns;
    size_t work = (size_t)job->rows * (size_t)job->columns * (size_t)job->product.depth / 16;
    parallel_run(args->context->device->threads, cuts(by_rows ? job->rows : job->columns), work,
                 by_rows ? run_rows : run_columns, job);
}

/* y[n][k] = x[n][c] weight[k][c] + bias[k] */
void cpu_linear(const struct kernel_args *args) {
    struct shape x = context_in(args->context, 0)->shape;
    struct shape weight = context_in(args->context, 1)->shape;
    struct job job = {.vec = cpu_of(args->context)->vec,
                      .product = {.left = args->in[0],
                                  .left_row = (size_t)x.c,
                                  .left_step = 1,
                                  .right = args->in[1],
                                  .right_row = (size_t)x.c,
                                  .out = args->out[0],
                                  .out_row = (size_t)weight.n,
                                  .bias = args->in[2],
                                  .depth = x.c},
                      .rows = x.n,
                      .columns = weight.n,
                      .by_dot = true};
    run(args, &job);
}

/* dx[n][c] = dy[n][k] weight[k][c] */
void cpu_linear_dx(const struct kernel_args *args) {
    struct shape dy = context_in(args->context, 0)->shape;
    struct shape weight = context_in(args->context, 1)->shape;
    struct job job = {.vec = cpu_of(args->context)->vec,
                      .product = {.left = args->in[0],
                                  .left_row = (size_t)dy.c,
                                  .left_step = 1,
                                  .right = args->in[1],
                                  .right_row = (size_t)weight.c,
                                  .out = args->out[0],
                                  .out_row = (size_t)weight.c,
                                  .depth = dy.c},
                      .rows = dy.n,
                      .columns = weight.c};
    run(args, &job);
}

/* dweight[k][c] = dy[n][k] x[n][c], dbias[k] = sum of dy[n][k] */
void cpu_linear_dw(const struct kernel_args *args) {
    struct shape dy = context_in(args->context, 0)->shape;
    struct shape x = context_in(args->context, 1)->shape;
    struct job job = {.vec = cpu_of(args->context)->vec,
                      .product = {.left = args->in[0],
                                  .left_row = 1,
                                  .left_step = (size_t)dy.c,
                                  .right = args->in[1],
                                  .right_row = (size_t)x.c,
                                  .out = args->out[0],
                                  .out_row = (size_t)x.c,
                                  .depth = dy.n},
                      .rows = dy.c,
                      .columns = x.c};
    run(args, &job);
    job.vec->column_sums(args->in[0], dy.n, (size_t)dy.c, args->out[1], dy.c);
}
