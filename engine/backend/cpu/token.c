/*
 * The ops of transformers that are no matrix product: ranges of tokens or numbers for the threads.
 * Sums over tokens are made for stretches of a fixed length and then added in double, so that they
 * do not depend on the number of threads.
 */
#include "engine/backend/cpu/cpu_internal.h"

#include "engine/graph/drop_path.h"

#include <string.h>

enum { STRETCH = 64 }; /* tokens of a partial sum */

static int tokens_of(const struct value *value) {
    return value->shape.n * value->shape.h * value->shape.w;
}

static int stretches_of(const struct value *value) {
    return (tokens_of(value) + STRETCH - 1) / STRETCH;
}

static size_t count_of(const struct value *value) {
    return (size_t)shape_elements(value->shape);
}

/* The threads' share of stretches of tokens. */
struct stretches {
    const struct vec_kernels *vec;
    const void *what; /* struct vec_layer_norm, struct vec_residual or tokens */
    float *sums;      /* [stretches][width] */
    size_t width;
    int tokens;
    bool bf16;
};

static int stretch_end(const struct stretches *it, int stretch) {
    int end = stretch * STRETCH;
    return end < it->tokens ? end : it->tokens;
}

static float *clear_sums(const struct stretches *it, int stretch) {
    float *sums = it->sums + (size_t)stretch * it->width;
    memset(sums, 0, it->width * sizeof *sums);
    return sums;
}

/* Adds the partial sums of column first + i to out[i]. */
static void add_stretches(const struct stretches *it, size_t first, float *out, size_t n) {
    int stretches = (it->tokens + STRETCH - 1) / STRETCH;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (int s = 0; s < stretches; s++)
            sum += (double)it->sums[(size_t)s * it->width + first + i];
        out[i] = (float)sum;
    }
}

static void run_stretches(const struct kernel_args *args, const struct stretches *it,
                          parallel_task_fn *task) {
    int stretches = (it->tokens + STRETCH - 1) / STRETCH;
    parallel_run(args->context->device->threads, stretches, count_of(context_in(args->context, 0)),
                 task, it);
}

/* --- layer norm --- */

static void norm_stretches(const void *context, int begin, int end) {
    const struct stretches *it = context;
    it->vec->layer_norm(it->what, (size_t)stretch_end(it, begin), (size_t)stretch_end(it, end));
}

void cpu_layer_norm(const struct kernel_args *args) {
    const struct value *x = context_in(args->context, 0), *y = context_out(args->context, 0);
    struct vec_layer_norm norm = {.x = args->in[0],
                                  .y = args->out[0],
                                  .gamma = args->in[1],
                                  .beta = args->in[2],
                                  .mean = args->out[1],
                                  .rstd = args->out[2],
                                  .channels = x->shape.c,
                                  .eps = args->context->op->attr.norm.eps,
                                  .x_bf16 = x->dtype == DTYPE_BF16,
                                  .y_bf16 = y->dtype == DTYPE_BF16};
    struct stretches it = {
        .vec = cpu_of(args->context)->vec, .what = &norm, .tokens = tokens_of(x)};
    run_stretches(args, &it, norm_stretches);
}

size_t cpu_layer_norm_bwd_workspace(const struct kernel_context *context) {
    const struct value *x = context_in(context, 1);
    return (size_t)stretches_of(x) * 2 * (size_t)x->shape.c * sizeof(float);
}

static void norm_bwd_stretches(const void *context, int begin, int end) {
    const struct stretches *it = context;
    for (int s = begin; s < end; s++)
        it->vec->layer_norm_bwd(it->what, (size_t)stretch_end(it, s),
                                (size_t)stretch_end(it, s + 1), clear_sums(it, s));
}

void cpu_layer_norm_bwd(const struct kernel_args *args) {
    const struct value *dy = context_in(args->context, 0), *x = context_in(args->context, 1);
    struct vec_layer_norm norm = {.dy = args->in[0],
                                  .x = args->in[1],
                                  .gamma = args->in[2],
                                  .mean = args->in[3],
                                  .rstd = args->in[4],
                                  .dx2 = args->in[5],
                                  .dx = args->out[0],
                                  .channels = x->shape.c,
                                  .x_bf16 = x->dtype == DTYPE_BF16,
                                  .y_bf16 = dy->dtype == DTYPE_BF16};
    size_t channels = (size_t)x->shape.c;
    struct stretches it = {.vec = cpu_of(args->context)->vec,
                           .what = &norm,
                           .sums = args->workspace,
                           .width = 2 * channels,
                           .tokens = tokens_of(x)};
    run_stretches(args, &it, norm_bwd_stretches);
    add_stretches(&it, 0, args->out[1], channels);
    add_stretches(&it, channels, args->out[2], channels);
}

/* --- residual branches --- */

/* keep of each picture, then partial sums. */
size_t cpu_residual_workspace(const struct kernel_context *context) {
    const struct value *x = context_in(context, 0);
    size_t sums = (size_t)stretches_of(x) * (size_t)x->shape.c;
    return ((size_t)x->shape.n + sums) * sizeof(float);
}

static struct vec_residual residual_of(const struct kernel_args *args) {
    const struct residual_attr *attr = &args->context->op->attr.residual;
    struct shape shape = context_in(args->context, 0)->shape;
    float *keep = args->workspace;
    for (int n = 0; n < shape.n; n++)
        keep[n] = drop_path_keep(args->step->seed, args->step->index, attr->layer, n, attr->drop);
    return (struct vec_residual){.branch = args->in[1],
                                 .scale = args->in[2],
                                 .keep = keep,
                                 .tokens = shape.h * shape.w,
                                 .channels = shape.c};
}

static void residual_stretches(const void *context, int begin, int end) {
    const struct stretches *it = context;
    it->vec->residual[it->bf16](it->what, stretch_end(it, begin), stretch_end(it, end));
}

void cpu_residual(const struct kernel_args *args) {
    const struct value *x = context_in(args->context, 0);
    struct vec_residual residual = residual_of(args);
    struct stretches it = {.vec = cpu_of(args->context)->vec,
                           .what = &residual,
                           .tokens = tokens_of(x),
                           .bf16 = x->dtype == DTYPE_BF16};
    residual.x = args->in[0];
    residual.y = args->out[0];
    run_stretches(args, &it, residual_stretches);
}

static void residual_bwd_stretches(const void *context, int begin, int end) {
    const struct stretches *it = context;
    const struct vec_residual *residual = it->what;
    for (int s = begin; s < end; s++)
        it->vec->residual_bwd[it->bf16](residual, stretch_end(it, s), stretch_end(it, s + 1),
                                        residual->scale ? clear_sums(it, s) : NULL);
}

void cpu_residual_bwd(const struct kernel_args *args) {
    const struct value *dy = context_in(args->context, 0);
    struct vec_residual residual = residual_of(args);
    struct stretches it = {.vec = cpu_of(args->context)->vec,
                           .what = &residual,
                           .sums = (float *)args->workspace + dy->shape.n,
                           .width = (size_t)dy->shape.c,
                           .tokens = tokens_of(dy),
                           .bf16 = dy->dtype == DTYPE_BF16};
    residual.dy = args->in[0];
    residual.dbranch = args->out[0];
    run_stretches(args, &it, residual_bwd_stretches);
    if (args->out[1])
        add_stretches(&it, 0, args->out[1], it.width);
}

/* --- sums of tokens --- */

size_t cpu_token_sums_workspace(const struct kernel_context *context) {
    const struct value *x = context_in(context, 0);
    return (size_t)stretches_of(x) * (size_t)x->shape.c * sizeof(float);
}

static void sum_stretches(const void *context, int begin, int end) {
    const struct stretches *it = context;
    for (int s = begin; s < end; s++)
        it->vec->token_sums[it->bf16](it->what, (int)it->width, stretch_end(it, s),
                                      stretch_end(it, s + 1), it->sums + (size_t)s * it->width);
}

void cpu_token_sums(const struct kernel_args *args, float *sums) {
    const struct value *x = context_in(args->context, 0);
    struct stretches it = {.vec = cpu_of(args->context)->vec,
                           .what = args->in[0],
                           .sums = args->workspace,
                           .width = (size_t)x->shape.c,
                           .tokens = tokens_of(x),
                           .bf16 = x->dtype == DTYPE_BF16};
    run_stretches(args, &it, sum_stretches);
    add_stretches(&it, 0, sums, it.width);
}

/* --- element by element --- */

enum { PIECE = 4096 }; /* numbers that a thread gets at least */

struct elements {
    const struct vec_kernels *vec;
    const void *x, *dy;
    void *y;
    size_t count;
    bool bf16;
};

static size_t piece_end(const struct elements *it, int piece) {
    size_t end = (size_t)piece * PIECE;
    return end < it->count ? end : it->count;
}

static void run_elements(const struct kernel_args *args, const struct elements *it,
                         parallel_task_fn *task) {
    int pieces = (int)((it->count + PIECE - 1) / PIECE);
    parallel_run(args->context->device->threads, pieces, it->count, task, it);
}

static void gelu_pieces(const void *context, int begin, int end) {
    const struct elements *it = context;
    it->vec->gelu[it->bf16](it->x, it->y, piece_end(it, begin), piece_end(it, end));
}

static void gelu_bwd_pieces(const void *context, int begin, int end) {
    const struct elements *it = context;
    it->vec->gelu_bwd[it->bf16](it->dy, it->x, it->y, piece_end(it, begin), piece_end(it, end));
}

static void bf16_pieces(const void *context, int begin, int end) {
    const struct elements *it = context;
    it->vec->to_bf16(it->x, it->y, piece_end(it, begin), piece_end(it, end));
}

static void f32_pieces(const void *context, int begin, int end) {
    const struct elements *it = context;
    it->vec->to_f32(it->x, it->y, piece_end(it, begin), piece_end(it, end));
}

static struct elements elements_of(const struct kernel_args *args) {
    const struct value *x = context_in(args->context, 0);
    return (struct elements){.vec = cpu_of(args->context)->vec,
                             .x = args->in[0],
                             .y = args->out[0],
                             .count = count_of(x),
                             .bf16 = x->dtype == DTYPE_BF16};
}

void cpu_gelu(const struct kernel_args *args) {
    struct elements it = elements_of(args);
    run_elements(args, &it, gelu_pieces);
}

void cpu_gelu_bwd(const struct kernel_args *args) {
    struct elements it = elements_of(args);
    it.dy = args->in[0];
    it.x = args->in[1];
    run_elements(args, &it, gelu_bwd_pieces);
}

static void copy_pieces(const void *context, int begin, int end) {
    const struct elements *it = context;
    size_t from = piece_end(it, begin), bytes = it->bf16 ? sizeof(uint16_t) : sizeof(float);
    memcpy((char *)it->y + from * bytes, (const char *)it->x + from * bytes,
           (piece_end(it, end) - from) * bytes);
}

void cpu_copy_tokens(const struct kernel_args *args, int in) {
    const struct value *x = context_in(args->context, in);
    struct elements it = {
        .x = args->in[in], .y = args->out[0], .count = count_of(x), .bf16 = x->dtype == DTYPE_BF16};
    run_elements(args, &it, copy_pieces);
}

void cpu_convert_rows(const struct kernel_args *args) {
    struct elements it = elements_of(args);
    run_elements(args, &it, args->context->out[0] == FORMAT_ROWS ? bf16_pieces : f32_pieces);
}
