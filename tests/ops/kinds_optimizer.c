/* kinds_optimizer.c - how problems of optimisers are built. */
#include "tests/ops/kinds.h"

static const struct range signs = {-1, 1};

/* A range of an optimiser's slot, beside the weights at offset. */
static int slot(struct problem *problem, enum value_kind kind, const struct value *weight,
                struct range range) {
    int value = problem_parameter(problem, kind, weight->shape, range);
    problem->program.value[value].offset = weight->offset;
    return value;
}

/* Weights, gradient, its factor if the line has one, first slot. */
static void set_operands(struct problem *problem, struct op *op) {
    struct shape range = {1, 1, 1, problem_int(problem, "count", 1)};
    op->out[0] = problem_parameter(problem, VALUE_WEIGHT, range, signs);
    struct value weight = problem->program.value[op->out[0]];
    op->in[0] = slot(problem, VALUE_GRADIENT, &weight, signs);
    if (problem_int(problem, "factor", 0))
        op->in[1] =
            problem_input(problem, DTYPE_F32, (struct shape){1, 1, 1, 1}, (struct range){0.1, 0.9});
    op->out[1] = slot(problem, VALUE_MOMENTUM, &weight, signs);
}

static void setup_sgd(struct problem *problem) {
    struct op op = op_new(OP_SGD, SECTION_UPDATE);
    op.attr.sgd = (struct sgd_attr){.momentum = (float)problem_number(problem, "momentum", 0.9),
                                    .weight_decay = (float)problem_number(problem, "decay", 5e-4),
                                    .nesterov = problem_int(problem, "nesterov", 0) != 0,
                                    .student = problem_int(problem, "slot", 0)};
    set_operands(problem, &op);
    problem_op(problem, &op, 0);
}

static void setup_adamw(struct problem *problem) {
    struct op op = op_new(OP_ADAMW, SECTION_UPDATE);
    int done = problem_int(problem, "done", 10);
    op.attr.adamw = (struct adamw_attr){.beta1 = problem_number(problem, "first", 0.9),
                                        .beta2 = problem_number(problem, "second", 0.999),
                                        .epsilon = problem_number(problem, "epsilon", 1e-8),
                                        .weight_decay = problem_number(problem, "decay", 0.05),
                                        .student = problem_int(problem, "slot", 0)};
    set_operands(problem, &op);
    op.out[2] = slot(problem, VALUE_SECOND_MOMENT, &problem->program.value[op.out[0]],
                     (struct range){0.01, 1});
    for (int i = 0; i < PROBLEM_STEPS; i++)
        problem->step[i].index = (uint64_t)done + (uint64_t)i;
    problem_op(problem, &op, 0);
}

static void setup_clip_norm(struct problem *problem) {
    struct shape range = {1, 1, 1, problem_int(problem, "count", 1)};
    struct op op = op_new(OP_CLIP_NORM, SECTION_UPDATE);
    op.attr.clip.max_norm = problem_number(problem, "max", 1);
    op.in[0] = problem_parameter(problem, VALUE_GRADIENT, range, signs);
    op.out[0] = problem_empty(problem, VALUE_OUTPUT, DTYPE_F32, (struct shape){1, 1, 1, 1});
    problem_op(problem, &op, 0);
}

const struct problem_kind optimizer_kinds[] = {
    {"sgd", setup_sgd, false},
    {"adamw", setup_adamw, false},
    {"clip_norm", setup_clip_norm, false},
    {0},
};
