#include "engine/backend/cpu/cpu_internal.h"

struct loss_job {
    const struct vec_kernels *vec;
    struct vec_loss loss;
    float *scratch; /* [threads][scratch floats] */
};

size_t cpu_distill_loss_workspace(const struct kernel_context *context) {
    return (size_t)context->device->threads *
           vec_loss_scratch_floats(context_in(context, 0)->shape.c) * sizeof(float);
}

static void run_rows(const void *context, int begin, int end) {
    const struct loss_job *job = context;
    size_t floats = vec_loss_scratch_floats(job->loss.classes);
    job->vec->loss(&job->loss, begin, end, job->scratch + parallel_worker() * floats);
}

void cpu_distill_loss(const struct kernel_args *args) {
    const struct loss_attr *attr = &args->context->op->attr.loss;
    struct shape shape = context_in(args->context, 0)->shape;
    struct loss_job job = {.vec = cpu_of(args->context)->vec,
                           .loss = {.terms = attr->terms,
                                    .student = args->in[0],
                                    .teacher = args->in[1],
                                    .label = args->in[2],
                                    .rows = args->out[0],
                                    .gradient = args->out[1],
                                    .classes = shape.c,
                                    .gradient_scale = 1.0 / shape.n},
                           .scratch = args->workspace};
    job.loss.terms.ce_weight = (double)args->step->student[attr->student].ce_weight;
    job.loss.terms.distill_weight = (double)args->step->student[attr->student].distill_weight;
    parallel_run(args->context->device->threads, shape.n, (size_t)shape_elements(shape), run_rows,
                 &job);
}
