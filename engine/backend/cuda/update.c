#include "engine/backend/cuda/cuda_internal.h"
#include "engine/base/mem.h"

/* --- loss --- */

/* In bf16 only as a whole: what is seen from outside is PLAIN. */
void cuda_distill_loss_formats(struct kernel_context *context) {
    const struct op *op = context->op;
    enum format *in = context->in, *out = context->out;
    cuda_formats(context);
    bool native = in[0] == FORMAT_NATIVE && (op->in[1] == NO_VALUE || in[1] == FORMAT_NATIVE) &&
                  (op->out[1] == NO_VALUE || out[1] == FORMAT_NATIVE);
    if (!native)
        in[0] = in[1] = out[1] = FORMAT_PLAIN;
}

struct loss_args loss_args_of(const struct kernel_context *context, struct shape shape) {
    const struct loss_attr *attr = &context->op->attr.loss;
    return (struct loss_args){.step = cuda_of(context)->step,
                              .n = shape.n,
                              .classes = shape.c,
                              .slot = attr->student,
                              .gamma = (float)attr->terms.gamma,
                              .tau = (float)attr->terms.tau,
                              .scale = (float)attr->terms.scale,
                              .label_smoothing = (float)attr->terms.label_smoothing,
                              .power_weight = attr->terms.power_weight};
}

enum status cuda_distill_loss_prepare(const struct kernel_context *context, void **state,
                                      size_t *workspace_bytes, struct error *err) {
    struct shape shape = context_in(context, 0)->shape;
    struct loss_size size = {shape.n, shape.c, context->in[0] == FORMAT_NATIVE,
                             context->op->in[1] != NO_VALUE};
    struct loss_plan *plan = xcalloc(1, sizeof *plan);
    (void)err;
    *plan = launch_distill_loss_plan(&cuda_of(context)->queue, size);
    *workspace_bytes = plan->workspace_bytes;
    *state = plan;
    return STATUS_OK;
}

void cuda_distill_loss(const struct kernel_args *args) {
    struct loss_args launch = loss_args_of(args->context, context_in(args->context, 0)->shape);
    launch.student = array_in(args, 0);
    launch.teacher = array_in(args, 1);
    launch.label = args->in[2];
    launch.rows = args->out[0];
    launch.gradient = array_out(args, 1);
    launch.workspace = args->workspace;
    launch_distill_loss(queue_of(args), args->state, &launch);
}

/* --- what follows it --- */

void cuda_tally(const struct kernel_args *args) {
    launch_tally(queue_of(args), args->in[0], cuda_of(args->context)->step, args->out[0]);
}

size_t cuda_clip_norm_workspace(const struct kernel_context *context) {
    (void)context;
    return LAUNCH_CLIP_BLOCKS * sizeof(double);
}

static uint32_t gradient_count(const struct kernel_args *args) {
    return (uint32_t)shape_elements(context_in(args->context, 0)->shape);
}

void cuda_clip_norm(const struct kernel_args *args) {
    launch_clip_norm(queue_of(args), args->in[0], gradient_count(args),
                     args->context->op->attr.clip.max_norm, args->out[0], args->workspace);
}

static struct update_args update_of(const struct kernel_args *args, int slot) {
    return (struct update_args){.gradient = args->in[0],
                                .factor = args->in[1],
                                .weight = args->out[0],
                                .momentum = args->out[1],
                                .second_moment = args->out[2],
                                .step = cuda_of(args->context)->step,
                                .count = gradient_count(args),
                                .slot = slot};
}

void cuda_sgd(const struct kernel_args *args) {
    const struct sgd_attr *attr = &args->context->op->attr.sgd;
    struct update_args launch = update_of(args, attr->student);
    launch.beta1 = (double)attr->momentum;
    launch.decay = (double)attr->weight_decay;
    launch.nesterov = attr->nesterov;
    launch_sgd(queue_of(args), &launch);
}

void cuda_adamw(const struct kernel_args *args) {
    const struct adamw_attr *attr = &args->context->op->attr.adamw;
    struct update_args launch = update_of(args, attr->student);
    launch.beta1 = attr->beta1;
    launch.beta2 = attr->beta2;
    launch.epsilon = attr->epsilon;
    launch.decay = attr->weight_decay;
    launch_adamw(queue_of(args), &launch);
}
