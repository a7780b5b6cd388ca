#include "engine/backend/clip.h"
#include "engine/backend/cpu/cpu_internal.h"

#include <math.h>

/* Numbers of an item: threads begin at the same ones every time, and sums are of the same ones
 * whatever the number of threads. */
enum { STRETCH = 4096 };

static int stretches(size_t count) {
    return (int)((count + STRETCH - 1) / STRETCH);
}

static size_t stretch_end(int end, size_t count) {
    size_t last = (size_t)end * STRETCH;
    return last < count ? last : count;
}

static size_t count_of(const struct kernel_context *context) {
    return (size_t)shape_elements(context_in(context, 0)->shape);
}

static float factor_of(const struct kernel_args *args) {
    const float *factor = args->in[1];
    return factor ? *factor : 1;
}

/* --- clip_norm --- */

struct norm_job {
    const struct vec_kernels *vec;
    const float *gradient;
    double *squares; /* [stretches] */
    size_t count;
};

size_t cpu_clip_norm_workspace(const struct kernel_context *context) {
    return (size_t)stretches(count_of(context)) * sizeof(double);
}

static void sum_squares(const void *context, int begin, int end) {
    const struct norm_job *job = context;
    for (int i = begin; i < end; i++)
        job->squares[i] =
            job->vec->squares(job->gradient, (size_t)i * STRETCH, stretch_end(i + 1, job->count));
}

void cpu_clip_norm(const struct kernel_args *args) {
    struct norm_job job = {.vec = cpu_of(args->context)->vec,
                           .gradient = args->in[0],
                           .squares = args->workspace,
                           .count = count_of(args->context)};
    int items = stretches(job.count);
    double squares = 0;
    parallel_run(args->context->device->threads, items, job.count, sum_squares, &job);
    for (int i = 0; i < items; i++)
        squares += job.squares[i];
    *(float *)args->out[0] = clip_factor(args->context->op->attr.clip.max_norm, squares);
}

/* --- sgd --- */

struct sgd_job {
    const struct vec_kernels *vec;
    struct vec_sgd sgd;
    size_t count;
};

static void sgd_stretches(const void *context, int begin, int end) {
    const struct sgd_job *job = context;
    job->vec->sgd(&job->sgd, (size_t)begin * STRETCH, stretch_end(end, job->count));
}

void cpu_sgd(const struct kernel_args *args) {
    const struct sgd_attr *attr = &args->context->op->attr.sgd;
    struct sgd_job job = {.vec = cpu_of(args->context)->vec,
                          .sgd = {.weight = args->out[0],
                                  .momentum = args->out[1],
                                  .gradient = args->in[0],
                                  .clip = factor_of(args),
                                  .rate = args->step->student[attr->student].learning_rate,
                                  .factor = attr->momentum,
                                  .decay = attr->weight_decay,
                                  .nesterov = attr->nesterov},
                          .count = count_of(args->context)};
    parallel_run(args->context->device->threads, stretches(job.count), job.count, sgd_stretches,
                 &job);
}

/* --- adamw --- */

struct adamw_job {
    const struct vec_kernels *vec;
    struct vec_adamw adamw;
    size_t count;
};

static void adamw_stretches(const void *context, int begin, int end) {
    const struct adamw_job *job = context;
    job->vec->adamw(&job->adamw, (size_t)begin * STRETCH, stretch_end(end, job->count));
}

void cpu_adamw(const struct kernel_args *args) {
    const struct adamw_attr *attr = &args->context->op->attr.adamw;
    double rate = (double)args->step->student[attr->student].learning_rate;
    double t = (double)args->step->index + 1;
    double first = 1 - pow(attr->beta1, t), second = 1 - pow(attr->beta2, t);
    struct adamw_job job = {.vec = cpu_of(args->context)->vec,
                            .adamw = {.weight = args->out[0],
                                      .momentum = args->out[1],
                                      .second_moment = args->out[2],
                                      .gradient = args->in[0],
                                      .clip = factor_of(args),
                                      .beta1 = (float)attr->beta1,
                                      .beta2 = (float)attr->beta2,
                                      .fresh1 = (float)(1 - attr->beta1),
                                      .fresh2 = (float)(1 - attr->beta2),
                                      .keep = (float)(1 - rate * attr->weight_decay),
                                      .step = (float)(rate / first),
                                      .inverse_root = (float)(1 / sqrt(second)),
                                      .epsilon = (float)attr->epsilon},
                            .count = count_of(args->context)};
    parallel_run(args->context->device->threads, stretches(job.count), job.count, adamw_stretches,
                 &job);
}
