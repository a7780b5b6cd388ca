/*
 * The ends of a transformer: patches become tokens, one token becomes a row. Patches are PLAIN,
 * between the conv's layout and that of tokens.
 */
#include "engine/backend/cpu/cpu_internal.h"

#include <string.h>

struct job {
    const struct vec_kernels *vec;
    struct vec_embed embed;
    float *dclass, *dposition, *dclass_position; /* the last may be NULL */
    bool bf16;
};

void cpu_embed_formats(struct kernel_context *context) {
    context->out[0] = token_format(context_out(context, 0));
}

void cpu_embed_bwd_formats(struct kernel_context *context) {
    context->in[0] = token_format(context_in(context, 0));
}

static struct job job_of(const struct kernel_args *args, const struct value *tokens) {
    return (struct job){.vec = cpu_of(args->context)->vec,
                        .embed = {.pictures = tokens->shape.n,
                                  .tokens = tokens->shape.w,
                                  .channels = tokens->shape.c},
                        .bf16 = tokens->dtype == DTYPE_BF16};
}

static void embed_pictures(const void *context, int begin, int end) {
    const struct job *job = context;
    for (int n = begin; n < end; n++)
        job->vec->embed[job->bf16](&job->embed, n);
}

void cpu_embed(const struct kernel_args *args) {
    const struct value *y = context_out(args->context, 0), *p = context_in(args->context, 2);
    const float *position = args->in[2];
    struct job job = job_of(args, y);
    bool all = p->shape.w == y->shape.w;
    job.embed.x = args->in[0];
    job.embed.y = args->out[0];
    job.embed.class = args->in[1];
    job.embed.class_position = all ? position : NULL;
    job.embed.position = all ? position + y->shape.c : position;
    parallel_run(args->context->device->threads, y->shape.n, (size_t)shape_elements(y->shape),
                 embed_pictures, &job);
}

static void split_pictures(const void *context, int begin, int end) {
    const struct job *job = context;
    for (int n = begin; n < end; n++)
        job->vec->embed_bwd[job->bf16](&job->embed, n);
}

static void sum_tokens(const void *context, int begin, int end) {
    const struct job *job = context;
    size_t channels = (size_t)job->embed.channels;
    for (int t = begin; t < end; t++) {
        float *sum = t ? job->dposition + (size_t)(t - 1) * channels : job->dclass;
        job->vec->embed_sums[job->bf16](&job->embed, t, sum);
        if (t == 0 && job->dclass_position)
            memcpy(job->dclass_position, sum, channels * sizeof *sum);
    }
}

void cpu_embed_bwd(const struct kernel_args *args) {
    const struct value *dy = context_in(args->context, 0), *p = context_out(args->context, 2);
    int threads = args->context->device->threads;
    size_t elements = (size_t)shape_elements(dy->shape);
    float *dposition = args->out[2];
    struct job job = job_of(args, dy);
    bool all = p->shape.w == dy->shape.w;
    job.embed.x = args->out[0];
    job.embed.y = args->in[0];
    job.dclass = args->out[1];
    job.dclass_position = all ? dposition : NULL;
    job.dposition = all ? dposition + dy->shape.c : dposition;
    parallel_run(threads, dy->shape.n, elements, split_pictures, &job);
    parallel_run(threads, dy->shape.w, elements, sum_tokens, &job);
}

/* Bytes of a token and of a picture's tokens. */
struct strides {
    size_t token, picture;
};

static struct strides strides_of(const struct value *tokens) {
    size_t token = (size_t)tokens->shape.c * dtype_bytes(tokens->dtype);
    return (struct strides){token, token * (size_t)tokens->shape.h * (size_t)tokens->shape.w};
}

void cpu_first_token(const struct kernel_args *args) {
    const struct value *x = context_in(args->context, 0);
    struct strides strides = strides_of(x);
    for (size_t n = 0; n < (size_t)x->shape.n; n++)
        memcpy((char *)args->out[0] + n * strides.token, (char *)args->in[0] + n * strides.picture,
               strides.token);
}

void cpu_first_token_bwd(const struct kernel_args *args) {
    const struct value *dx = context_out(args->context, 0);
    struct strides strides = strides_of(dx);
    memset(args->out[0], 0, (size_t)dx->shape.n * strides.picture);
    for (size_t n = 0; n < (size_t)dx->shape.n; n++)
        memcpy((char *)args->out[0] + n * strides.picture, (char *)args->in[0] + n * strides.token,
               strides.token);
}
