#include "engine/backend/cuda/product.h"
#include "engine/backend/cuda/launch_token.h"

static struct product_args shape_of(enum product_kind kind, int n, int c, int k) {
    const struct product_args shape[] = {
        [PRODUCT_Y] = {.rows = n,
                       .columns = k,
                       .inner = c,
                       .a_row = c,
                       .a_inner = 1,
                       .b_inner = 1,
                       .b_column = c},
        [PRODUCT_DX] = {.rows = n,
                        .columns = c,
                        .inner = k,
                        .a_row = k,
                        .a_inner = 1,
                        .b_inner = c,
                        .b_column = 1},
        [PRODUCT_DW] = {.rows = k,
                        .columns = c,
                        .inner = n,
                        .a_row = 1,
                        .a_inner = k,
                        .b_inner = c,
                        .b_column = 1},
    };
    return shape[kind];
}

static struct product_args shape_in(const struct kernel_context *context, enum product_kind kind) {
    const struct value *y = kind == PRODUCT_Y ? context_out(context, 0) : context_in(context, 0);
    const struct value *weight =
        kind == PRODUCT_DW ? context_out(context, 0) : context_in(context, 1);
    struct product_args shape =
        shape_of(kind, (int)extent_of(y->shape).pixels, weight->shape.c, weight->shape.n);
    shape.gelu = context->op->code == OP_TOKEN_LINEAR && context->op->attr.gelu;
    return shape;
}

/* Is the product of a type that the library has? It adds a residual before an activation only. */
static bool types_fit(const struct kernel_context *context, const struct product_args *shape) {
    bool a = context->in[0] == FORMAT_NATIVE, b = context->in[1] == FORMAT_NATIVE;
    bool c = context->out[0] == FORMAT_NATIVE;
    bool has_residual = context->op->in[3] != NO_VALUE;
    if (has_residual && (shape->gelu || (context->in[3] == FORMAT_NATIVE) != c))
        return false;
    return a || (!b && !c);
}

/* As cuBLASLt has no GELU but the one by tanh, it comes behind. */
static struct blas_problem problem_of(const struct kernel_context *context,
                                      const struct product_args *shape, bool relu) {
    bool bf16 = context->in[0] == FORMAT_NATIVE;
    return (struct blas_problem){.rows = shape->rows,
                                 .columns = shape->columns,
                                 .inner = shape->inner,
                                 .a_row = shape->a_row,
                                 .a_inner = shape->a_inner,
                                 .b_inner = shape->b_inner,
                                 .b_column = shape->b_column,
                                 .bf16 = bf16,
                                 .c_bf16 = context->out[0] == FORMAT_NATIVE,
                                 .tf32 = !bf16 && context->program->tf32,
                                 .bias = context->op->in[2] != NO_VALUE,
                                 .residual = context->op->in[3] != NO_VALUE,
                                 .relu = relu};
}

struct product product_of(const struct kernel_context *context, enum product_kind kind, bool relu) {
    struct kernel_context base = cuda_base(context);
    struct blas *blas = cuda_of(context)->blas;
    struct product product = {.shape = shape_in(context, kind)};
    struct blas_problem problem = problem_of(&base, &product.shape, relu);
    if (blas && types_fit(&base, &product.shape))
        product.plan = blas_plan_of(blas, &problem);
    return product;
}

void product_formats(const struct product *product, struct kernel_context *context) {
    struct kernel_context base = cuda_base(context);
    if (!product->plan || base.in[0] != FORMAT_NATIVE)
        return;
    if (base.in[1] == FORMAT_PLAIN)
        context->in[1] = cuda_copy_format(context_in(context, 1), false);
    if (context->op->in[2] != NO_VALUE && base.out[0] == FORMAT_NATIVE)
        context->in[2] = FORMAT_NATIVE;
}

static void run_plan(const struct product *product, const struct kernel_args *args) {
    const struct product_args *shape = &product->shape;
    struct array c = array_out(args, 0);
    struct blas_operands operands = {.a = args->in[0],
                                     .b = args->in[1],
                                     .bias = args->in[2],
                                     .residual = args->in[3],
                                     .c = c.data,
                                     .workspace = args->workspace};
    blas_run(cuda_of(args->context)->blas, product->plan, &operands);
    if (shape->gelu)
        launch_gelu(queue_of(args),
                    &(struct token_args){
                        .x = c, .y = c, .n = shape->rows, .tokens = 1, .c = shape->columns});
}

void product_run(const struct product *product, const struct kernel_args *args) {
    if (product->plan) {
        run_plan(product, args);
        return;
    }
    struct product_args launch = product->shape;
    launch.a = array_in(args, 0);
    launch.b = array_in(args, 1);
    launch.c = array_out(args, 0);
    launch.bias = args->in[2];
    launch.residual = array_in(args, 3);
    launch_product(queue_of(args), &launch);
}
