#include "engine/backend/cpu/cpu_internal.h"

struct job {
    const struct vec_kernels *vec;
    struct vec_attention attention;
    float *scratch; /* [threads][floats] */
    size_t floats;
    int piece, pieces; /* queries of a piece, pieces of a head */
    bool bf16;
};

static size_t scratch_floats(const struct kernel_context *context, const struct value *qkv) {
    int width = qkv->shape.c / 3 / context->op->attr.attention.heads;
    return cpu_of(context)->vec->attention_floats(qkv->shape.w, width);
}

static size_t scratch_bytes(const struct kernel_context *context, const struct value *qkv) {
    return (size_t)context->device->threads * scratch_floats(context, qkv) * sizeof(float);
}

size_t cpu_attention_workspace(const struct kernel_context *context) {
    return scratch_bytes(context, context_in(context, 0));
}

size_t cpu_attention_bwd_workspace(const struct kernel_context *context) {
    return scratch_bytes(context, context_in(context, 1));
}

static struct job job_of(const struct kernel_args *args, const struct value *qkv,
                         const struct value *y) {
    int heads = args->context->op->attr.attention.heads;
    int piece = vec_queries_at_once(y->shape.w);
    return (struct job){.vec = cpu_of(args->context)->vec,
                        .attention = {.tokens = qkv->shape.w,
                                      .queries = y->shape.w,
                                      .heads = heads,
                                      .width = y->shape.c / heads},
                        .scratch = args->workspace,
                        .floats = scratch_floats(args->context, qkv),
                        .piece = piece,
                        .pieces = (y->shape.w + piece - 1) / piece,
                        .bf16 = y->dtype == DTYPE_BF16};
}

static size_t scores_of(const struct job *job, int pictures) {
    const struct vec_attention *it = &job->attention;
    return (size_t)pictures * (size_t)it->heads * (size_t)it->queries * (size_t)it->tokens;
}

static void attend(const void *context, int begin, int end) {
    const struct job *job = context;
    int queries = job->attention.queries;
    for (int i = begin; i < end; i++) {
        int piece = i % job->pieces, end_of_piece = (piece + 1) * job->piece;
        const struct vec_queries some = {.head = i / job->pieces,
                                         .begin = piece * job->piece,
                                         .end = end_of_piece < queries ? end_of_piece : queries,
                                         .fresh = i == begin || piece == 0};
        job->vec->attention[job->bf16](&job->attention, &some,
                                       job->scratch + parallel_worker() * job->floats);
    }
}

void cpu_attention(const struct kernel_args *args) {
    const struct value *qkv = context_in(args->context, 0), *y = context_out(args->context, 0);
    struct job job = job_of(args, qkv, y);
    job.attention.qkv = args->in[0];
    job.attention.y = args->out[0];
    job.attention.lse = args->out[1];
    parallel_run(args->context->device->threads, y->shape.n * job.attention.heads * job.pieces,
                 scores_of(&job, y->shape.n), attend, &job);
}

static void differentiate(const void *context, int begin, int end) {
    const struct job *job = context;
    for (int head = begin; head < end; head++)
        job->vec->attention_bwd[job->bf16](&job->attention, head,
                                           job->scratch + parallel_worker() * job->floats);
}

void cpu_attention_bwd(const struct kernel_args *args) {
    const struct value *qkv = context_in(args->context, 1), *y = context_in(args->context, 2);
    struct job job = job_of(args, qkv, y);
    job.attention.dy = args->in[0];
    job.attention.qkv = args->in[1];
    job.attention.y = args->in[2];
    job.attention.lse = args->in[3];
    job.attention.dqkv = args->out[0];
    parallel_run(args->context->device->threads, y->shape.n * job.attention.heads,
                 scores_of(&job, y->shape.n), differentiate, &job);
}
