/* The head of a small classifier: ops of a few microseconds that follow each other are one launch.
 */
#include "engine/backend/cuda/cuda_internal.h"
#include "engine/backend/cuda/launch_head.h"

/* --- which heads --- */

/* Bytes of weights that all pictures together may read again: from the second cache they take no
 * longer than the launches that are saved, some microseconds. */
enum { WEIGHTS_AGAIN_MAX = 16 << 20 };

static const struct value *value_of(const struct program *program, int value) {
    return &program->value[value];
}

/* Is the op's output what the next one begins with? */
static bool leads_to(const struct program *program, int index, enum opcode code) {
    if (index + 1 == program->n_ops)
        return false;
    const struct op *op = &program->op[index], *next = op + 1;
    return next->code == code && next->section == op->section && next->in[0] == op->out[0];
}

/* Does nobody read the value behind the op at index? */
static bool ends_at(const struct program *program, int value, int index) {
    const struct value *of = value_of(program, value);
    return of->kind == VALUE_ACTIVATION && of->last == index;
}

static bool is_small(const struct program *program, int picture, int weight) {
    struct shape x = value_of(program, picture)->shape, w = value_of(program, weight)->shape;
    return w.c % 8 == 0 && w.c <= LAUNCH_HEAD_CHANNELS_MAX &&
           x.n * shape_elements(w) * (int64_t)sizeof(float) <= WEIGHTS_AGAIN_MAX;
}

/* Is the op at index a loss, of f32 alone, that a warp computes? */
static bool has_small_loss(const struct program *program, int index) {
    const struct op *op = &program->op[index];
    const int operand[] = {op->in[0], op->in[1], op->out[1]};
    for (int i = 0; i < 3; i++)
        if (operand[i] != NO_VALUE && value_of(program, operand[i])->dtype != DTYPE_F32)
            return false;
    return value_of(program, op->in[0])->shape.c <= LAUNCH_HEAD_CLASSES_MAX;
}

static int merge_forward(const struct program *program, int index, struct op *merged) {
    const struct op *pool = &program->op[index], *linear = pool + 1, *loss = pool + 2;
    if (!leads_to(program, index, OP_LINEAR) || !is_small(program, pool->in[0], linear->in[1]))
        return 1;
    *merged = op_new(OP_HEAD, pool->section);
    merged->in[0] = pool->in[0];
    merged->in[1] = linear->in[1];
    merged->in[2] = linear->in[2];
    merged->out[0] = ends_at(program, pool->out[0], index + 1) ? NO_VALUE : pool->out[0];
    merged->out[1] = linear->out[0];
    if (!leads_to(program, index + 1, OP_DISTILL_LOSS) || !has_small_loss(program, index + 2))
        return 2;
    merged->in[3] = loss->in[1];
    merged->in[4] = loss->in[2];
    merged->out[2] = loss->out[0];
    merged->out[3] = loss->out[1];
    merged->attr = loss->attr;
    return 3;
}

static int merge_backward(const struct program *program, int index, struct op *merged) {
    const struct op *linear = &program->op[index], *pool = linear + 1;
    if (!leads_to(program, index, OP_GLOBAL_POOL_BWD) ||
        !ends_at(program, linear->out[0], index + 1) ||
        value_of(program, linear->in[0])->dtype != DTYPE_F32 ||
        !is_small(program, pool->out[0], linear->in[1]))
        return 1;
    *merged = op_new(OP_HEAD_BWD, linear->section);
    merged->in[0] = linear->in[0];
    merged->in[1] = linear->in[1];
    merged->out[0] = pool->out[0];
    return 2;
}

int cuda_merge(const struct program *program, int index, struct op *merged) {
    if (merged->code == OP_GLOBAL_POOL)
        return merge_forward(program, index, merged);
    if (merged->code == OP_LINEAR_DX)
        return merge_backward(program, index, merged);
    return 1;
}

/* --- launches --- */

static struct head_shape head_shape_of(struct shape picture, struct shape weight) {
    return (struct head_shape){picture.n, picture.h * picture.w, picture.c, weight.n};
}

void cuda_head(const struct kernel_args *args) {
    const struct kernel_context *context = args->context;
    struct head_args launch = {
        .shape = head_shape_of(context_in(context, 0)->shape, context_in(context, 1)->shape),
        .x = array_in(args, 0),
        .pooled = array_out(args, 0),
        .weight = args->in[1],
        .bias = args->in[2],
        .y = args->out[1]};
    if (args->out[2]) {
        launch.loss = loss_args_of(context, context_out(context, 1)->shape);
        launch.loss.student = array_out(args, 1);
        launch.loss.teacher = array_in(args, 3);
        launch.loss.label = args->in[4];
        launch.loss.rows = args->out[2];
        launch.loss.gradient = array_out(args, 3);
    }
    launch_head(queue_of(args), &launch);
}

void cuda_head_bwd(const struct kernel_args *args) {
    const struct kernel_context *context = args->context;
    launch_head_bwd(queue_of(args),
                    &(struct head_bwd_args){.shape = head_shape_of(context_out(context, 0)->shape,
                                                                   context_in(context, 1)->shape),
                                            .dy = args->in[0],
                                            .weight = args->in[1],
                                            .dx = array_out(args, 0)});
}
