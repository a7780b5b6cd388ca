/* kinds_loss.c - how problems of the loss, of what leads to it and what follows it are built. */
#include "tests/ops/kinds.h"

#include <math.h>

static enum method method_of(struct problem *problem) {
    static const char *const names[METHOD_LOSSES] = {"ce", "kd", "ttm", "wttm"};
    int found = METHOD_CE;
    for (int i = 0; i < METHOD_LOSSES; i++)
        if (problem_int(problem, names[i], 0))
            found = i;
    return (enum method)found;
}

/* The sum to differentiate is the mean of the rows' losses. */
static void check_mean_loss(struct problem *problem, int rows, int n) {
    int dy = problem_input(problem, DTYPE_F32, (struct shape){n, 1, 1, ROW_FIELDS},
                           (struct range){0, 0});
    float *weight = problem->data[dy];
    for (int i = 0; i < n; i++)
        weight[i * ROW_FIELDS + ROW_LOSS] = 1 / (float)n;
    problem_sum(problem, rows, dy, NO_VALUE);
}

/* The loss as the line says, without logits. */
static struct op loss_op(struct problem *problem, enum method method, int n, int k) {
    struct op op = op_new(OP_DISTILL_LOSS, SECTION_FORWARD);
    op.attr.loss.student = problem_int(problem, "slot", 0);
    op.attr.loss.terms = loss_terms_of(method, problem_number(problem, "temperature", 4), 1, 1,
                                       problem_number(problem, "smoothing", 0));
    op.in[2] = problem_input(problem, DTYPE_I32, (struct shape){n, 1, 1, 1}, (struct range){0, k});
    for (int i = 0; method == METHOD_CE && i < PROBLEM_STEPS; i++)
        problem->step[i].student[op.attr.loss.student].distill_weight = 0;
    return op;
}

static void setup_distill_loss(struct problem *problem) {
    int n = problem_int(problem, "n", 1), k = problem_int(problem, "k", 2);
    enum method method = method_of(problem);
    double spread = problem_number(problem, "spread", 4);
    struct range logits = {-spread, spread};
    struct op op = loss_op(problem, method, n, k);
    op.in[0] = problem_activation(problem, (struct shape){n, 1, 1, k}, logits);
    if (method != METHOD_CE) {
        int rows = problem_int(problem, "teacher", n);
        op.in[1] = problem_activation(problem, (struct shape){rows, 1, 1, k}, logits);
    }
    int broken = problem_int(problem, "nan", -1);
    int broken_teacher = problem_int(problem, "teachernan", -1);
    if (broken >= 0)
        problem_set(problem, op.in[0], (int64_t)broken * k + k / 2, NAN);
    if (broken_teacher >= 0)
        problem_set(problem, op.in[1], (int64_t)broken_teacher * k + k / 2, NAN);
    bool forward_only = problem_int(problem, "forward", 0) != 0;
    op = problem_op(problem, &op, forward_only ? 1u << 1 : 0);
    if (forward_only || broken >= 0 || broken_teacher >= 0)
        return;
    problem_pair(problem, op.in[0], op.out[1]);
    check_mean_loss(problem, op.out[0], n);
}

static void setup_tally(struct problem *problem) {
    int n = problem_int(problem, "n", 1), bad = problem_int(problem, "bad", -1);
    struct op op = op_new(OP_TALLY, SECTION_UPDATE);
    op.in[0] = problem_input(problem, DTYPE_F32, (struct shape){n, 1, 1, ROW_FIELDS},
                             (struct range){0.5, 3});
    op.out[0] =
        problem_input(problem, DTYPE_F64, vector_shape(TALLY_FIELDS), (struct range){1, 100});
    problem->program.value[op.out[0]].kind = VALUE_TALLY;
    double *tally = problem->data[op.out[0]];
    tally[TALLY_BAD_STEP] = problem_number(problem, "seen", 0);
    if (bad >= 0)
        ((float *)problem->data[op.in[0]])[bad * ROW_FIELDS + ROW_FINITE] = 0;
    for (int i = 0; i < PROBLEM_STEPS; i++)
        problem->step[i].n_valid = problem_int(problem, "valid", n) - i;
    problem_op(problem, &op, 0);
}

/* --- the head of a classifier --- */

/* What follows the loss: the gradient of weights, bias and picture. */
static void head_gradient(struct problem *problem, const struct op *pool, const struct op *linear,
                          int dy) {
    struct op back = op_new(OP_GLOBAL_POOL_BWD, SECTION_BACKWARD);
    back.in[0] = linear_backward(problem, linear, dy);
    back.out[0] = empty_like(problem, pool->in[0]);
    problem_op(problem, &back, 0);
    problem_pair(problem, pool->in[0], back.out[0]);
}

/* Global pooling, a linear layer and, unless "frozen", the loss: backends may do them at once. */
static void setup_head(struct problem *problem) {
    struct shape x = picture_shape(problem);
    int k = problem_int(problem, "k", 2);
    enum method method = method_of(problem);
    problem->series = true;
    struct op pool = op_new(OP_GLOBAL_POOL, SECTION_FORWARD);
    pool.in[0] = problem_activation(problem, x, unit);
    pool = problem_op(problem, &pool, 0);
    struct op linear = op_new(OP_LINEAR, SECTION_FORWARD);
    linear.in[0] = pool.out[0];
    linear.in[1] = problem_parameter(problem, VALUE_WEIGHT, (struct shape){k, 1, 1, x.c}, unit);
    linear.in[2] = problem_parameter(problem, VALUE_WEIGHT, vector_shape(k), unit);
    linear = problem_op(problem, &linear, 0);
    if (problem_int(problem, "frozen", 0))
        return;
    struct op loss = loss_op(problem, method, x.n, k);
    loss.in[0] = linear.out[0];
    if (method != METHOD_CE)
        loss.in[1] = problem_input(problem, DTYPE_F32,
                                   (struct shape){problem_int(problem, "teacher", x.n), 1, 1, k},
                                   (struct range){-4, 4});
    loss = problem_op(problem, &loss, 0);
    head_gradient(problem, &pool, &linear, loss.out[1]);
    check_mean_loss(problem, loss.out[0], x.n);
}

const struct problem_kind loss_kinds[] = {
    {"distill_loss", setup_distill_loss, true},
    {"tally", setup_tally, false},
    {"head", setup_head, true},
    {0},
};
