/*
 * diff.c - `distill diff`: runs two backends in lock-step and names the first op that differs.
 *
 * Both run the same program on the same input, op by op; after each op its outputs are compared
 * by the root of the mean square of the difference, relative to that of the first backend's
 * output, because single elements may differ by much: where an input of a ReLU is nearly zero, a
 * rounding error decides about a whole gradient. Memory is filled with NaN before, so that what a
 * kernel forgets to write is found too.
 */
#include "engine/cli/line.h"
#include "engine/cli/rig.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct diff_command {
    struct rig_options rig;
    struct text_list backend;
    double tolerance;
};

#define ROW(member) FIELD_MEMBER(struct diff_command, member)

static const struct field rows[] = {
    RIG_ROWS,
    {ROW(backend), .type = FIELD_TEXTS, .min = 1, .max = 8, .fallback = "ref,cpu",
     .doc = "The two to compare; the first one is taken for right."},
    {ROW(tolerance), .type = FIELD_FLOAT, .min = 0, .max = 1,
     .doc = "Largest relative difference of an output; 1e-4 for f32, 5e-3 for tf32, 0.1 for "
            "bf16."},
};
static const struct field_table table = OPTION_TABLE("diff", rows);

static enum status find_device(const char *name, enum device_kind *kind, struct error *err) {
    static const char *const names[] = {
        [DEVICE_CPU] = "cpu", [DEVICE_REF] = "ref", [DEVICE_CUDA] = "cuda"};
    for (int i = DEVICE_CPU; i <= DEVICE_CUDA; i++)
        if (str_equal(names[i], name)) {
            *kind = (enum device_kind)i;
            return STATUS_OK;
        }
    return error_set_field(err, STATUS_INVALID, "backend", "backend \"%s\" is not cpu, ref or cuda",
                           name);
}

/* Element i of a PLAIN buffer. */
static double element(const void *data, enum dtype dtype, int64_t i) {
    switch (dtype) {
    case DTYPE_U8:
        return ((const uint8_t *)data)[i];
    case DTYPE_I32:
        return ((const int32_t *)data)[i];
    case DTYPE_F64:
        return ((const double *)data)[i];
    default:
        return (double)((const float *)data)[i];
    }
}

struct difference {
    double relative, largest; /* relative: NaN where an output is not finite */
};

static struct difference compare(const struct value *value, const void *a, const void *b) {
    int64_t count = shape_elements(value->shape);
    double square = 0, difference = 0, largest = 0;
    for (int64_t i = 0; i < count; i++) {
        double x = element(a, value->dtype, i), d = element(b, value->dtype, i) - x;
        square += x * x;
        difference += d * d;
        largest = fabs(d) > largest ? fabs(d) : largest;
    }
    double relative = difference == 0 ? 0 : sqrt(difference / square);
    return (struct difference){relative, largest};
}

/* The two sides and the worst op so far. */
struct lockstep {
    struct rig rig[2];
    void *buffer[2]; /* room for the largest value */
    double tolerance, worst;
    int worst_op, compared;
};

/* Do both sides have it? One may compute several ops at once. */
static bool both_have(const struct lockstep *lockstep, int value) {
    return exec_has(lockstep->rig[0].exec, value) && exec_has(lockstep->rig[1].exec, value);
}

static enum status compare_value(struct lockstep *lockstep, int op, int index, struct error *err) {
    const struct program *program = &lockstep->rig[0].plan->run.program;
    const struct value *value = &program->value[index];
    for (int side = 0; side < 2; side++) {
        exec_read(lockstep->rig[side].exec, index, lockstep->buffer[side]);
        enum status status = exec_synchronize(lockstep->rig[side].exec, err);
        if (status)
            return status;
    }
    struct difference difference = compare(value, lockstep->buffer[0], lockstep->buffer[1]);
    lockstep->compared++;
    if (difference.relative > lockstep->worst) {
        lockstep->worst = difference.relative;
        lockstep->worst_op = op;
    }
    if (difference.relative <= lockstep->tolerance) {
        /* the second side goes on from the first one's value: each op is judged by itself */
        exec_write(lockstep->rig[1].exec, index, lockstep->buffer[0]);
        return exec_synchronize(lockstep->rig[1].exec, err);
    }
    return error_set(err, STATUS_CONFLICT,
                     "op %d (%s) differs in %s: %.3g relative, at most %.3g in an element; the "
                     "tolerance is %.3g",
                     op, op_table[program->op[op].code].name, value->name, difference.relative,
                     difference.largest, lockstep->tolerance);
}

/* The prologue has run with exec_refresh, all of it. */
static enum status step_op(struct lockstep *lockstep, int index, struct error *err) {
    const struct op *op = &lockstep->rig[0].plan->run.program.op[index];
    for (int side = 0; side < 2; side++)
        if (op->section != SECTION_PROLOGUE)
            exec_run_op(lockstep->rig[side].exec, index, &lockstep->rig[side].step);
    for (int i = 0; i < OP_MAX_OUT; i++) {
        if (op->out[i] == NO_VALUE || !both_have(lockstep, op->out[i]))
            continue;
        enum status status = compare_value(lockstep, index, op->out[i], err);
        if (status)
            return status;
    }
    return STATUS_OK;
}

static enum status allocate_buffers(struct lockstep *lockstep, const struct program *program,
                                    struct error *err) {
    size_t most = 0;
    enum status status = STATUS_OK;
    for (int i = 0; i < program->n_values; i++) {
        size_t bytes = plain_bytes(&program->value[i]);
        most = bytes > most ? bytes : most;
    }
    for (int side = 0; side < 2 && !status; side++)
        status = mem_alloc_large(&lockstep->buffer[side], most, "values to compare", err);
    return status;
}

static void print_result(const struct lockstep *lockstep) {
    const struct program *program = &lockstep->rig[0].plan->run.program;
    struct line line = {0};
    line_integer(&line, "ops", program->n_ops);
    line_integer(&line, "outputs", lockstep->compared);
    line_number(&line, "largest", lockstep->worst);
    line_number(&line, "tolerance", lockstep->tolerance);
    line_integer(&line, "op", lockstep->worst_op);
    line_text(&line, "name", op_table[program->op[lockstep->worst_op].code].name);
    line_print(&line);
}

static enum status compare_devices(const struct rig_plan *plan, const enum device_kind *kinds,
                                   double tolerance, struct error *err) {
    struct lockstep lockstep = {.tolerance = tolerance};
    enum status status = allocate_buffers(&lockstep, &plan->run.program, err);
    for (int side = 0; side < 2 && !status; side++) {
        status = rig_open(&lockstep.rig[side], plan, kinds[side], err);
        if (!status)
            exec_poison(lockstep.rig[side].exec);
    }
    for (int op = 0; op < plan->run.program.n_ops && !status; op++)
        status = step_op(&lockstep, op, err);
    if (!status)
        print_result(&lockstep);
    for (int side = 0; side < 2; side++) {
        rig_close(&lockstep.rig[side]);
        mem_free_large(lockstep.buffer[side]);
    }
    return status;
}

static enum status run(void *options, const struct names *names, struct error *err) {
    const struct diff_command *command = options;
    static const double tolerances[PRECISION_COUNT] = {
        [PRECISION_F32] = 1e-4, [PRECISION_BF16] = 0.1, [PRECISION_TF32] = 5e-3};
    double tolerance = command->tolerance;
    enum device_kind kinds[2];
    struct rig_plan plan;
    enum status status = STATUS_OK;
    (void)names;
    if (command->backend.count != 2)
        return error_set_field(err, STATUS_INVALID, "backend", "%d backends, expected two",
                               command->backend.count);
    for (int i = 0; i < 2 && !status; i++)
        status = find_device(command->backend.item[i], &kinds[i], err);
    if (status)
        return status;
    if (isnan(tolerance))
        tolerance = tolerances[command->rig.precision];
    status = train_spec_check_precision(command->rig.precision, (int)kinds[1], err);
    if (!status)
        status = rig_plan_open(&plan, &command->rig, err);
    if (status)
        return status;
    status = compare_devices(&plan, kinds, tolerance, err);
    rig_plan_close(&plan);
    return status;
}

const struct command command_diff = {
    .name = "diff",
    .sentence = "Compares two backends op by op.",
    .required = "student",
    .table = &table,
    .options_bytes = sizeof(struct diff_command),
    .run = run,
};
