#include "engine/cli/lockstep.h"

#include "engine/base/rng.h"

#include <math.h>
#include <string.h>

/* How far inputs are off: enough to stand out of bf16, and little enough for ops that are no sums
 * to change in proportion. */
static const double OFF = 1.0 / 64;

/* ---- open and close ---- */

static enum status allocate_buffers(struct lockstep *lockstep, const struct program *program,
                                    struct error *err) {
    size_t most = 0;
    enum status status = STATUS_OK;
    for (int i = 0; i < program->n_values; i++) {
        size_t bytes = plain_bytes(&program->value[i]);
        most = bytes > most ? bytes : most;
    }
    for (int i = 0; i < 2 && !status; i++)
        status = mem_alloc_large(&lockstep->buffer[i], most, "values to compare", err);
    return status;
}

enum status lockstep_open(struct lockstep *lockstep, const struct rig_plan *plan,
                          const enum device_kind kinds[2], double tolerance, struct error *err) {
    lockstep->tolerance = tolerance;
    enum status status = allocate_buffers(lockstep, &plan->run.program, err);
    for (int side = 0; side < SIDE_COUNT && !status; side++) {
        enum device_kind kind = kinds[side == SIDE_SECOND ? 1 : 0];
        status = rig_open(&lockstep->rig[side], plan, kind, err);
        if (!status)
            exec_poison(lockstep->rig[side].exec);
    }
    if (status)
        lockstep_close(lockstep);
    return status;
}

void lockstep_close(struct lockstep *lockstep) {
    for (int side = 0; side < SIDE_COUNT; side++)
        rig_close(&lockstep->rig[side]);
    for (int i = 0; i < 2; i++)
        mem_free_large(lockstep->buffer[i]);
    *lockstep = (struct lockstep){0};
}

/* ---- values ---- */

static const struct program *program_of(const struct lockstep *lockstep) {
    return &lockstep->rig[SIDE_FIRST].plan->run.program;
}

static bool has(const struct lockstep *lockstep, enum lockstep_side side, int value) {
    return value != NO_VALUE && exec_has(lockstep->rig[side].exec, value);
}

static enum status read_value(struct lockstep *lockstep, enum lockstep_side side, int value,
                              void *data, struct error *err) {
    exec_read(lockstep->rig[side].exec, value, data);
    return exec_synchronize(lockstep->rig[side].exec, err);
}

static enum status write_value(struct lockstep *lockstep, enum lockstep_side side, int value,
                               const void *data, struct error *err) {
    exec_write(lockstep->rig[side].exec, value, data);
    return exec_synchronize(lockstep->rig[side].exec, err);
}

/* ---- the third side ---- */

static void disturb(const struct value *value, float *data) {
    int64_t count = shape_elements(value->shape);
    for (int64_t i = 0; i < count; i++) {
        uint32_t word = rng_philox(1, (uint32_t)i, (uint32_t)(i >> 32), RNG_TEST, 0).word[0];
        data[i] *= (float)(word >> 31 ? 1 + OFF : 1 - OFF);
    }
}

/* Gives it the first side's inputs, before an op writes over them. Its outputs become NaN: the
 * backend may have computed the op with an earlier one, and what was there would be no answer. */
static enum status prepare_disturbed(struct lockstep *lockstep, const struct op *op,
                                     struct error *err) {
    const struct value *value = program_of(lockstep)->value;
    void *buffer = lockstep->buffer[0];
    enum status status = STATUS_OK;
    for (int i = 0; i < OP_MAX_OUT && !status; i++) {
        if (!has(lockstep, SIDE_DISTURBED, op->out[i]))
            continue;
        memset(buffer, 0xff, plain_bytes(&value[op->out[i]]));
        status = write_value(lockstep, SIDE_DISTURBED, op->out[i], buffer, err);
    }
    for (int i = 0; i < OP_MAX_IN && !status; i++) {
        if (!has(lockstep, SIDE_FIRST, op->in[i]))
            continue;
        const struct value *in = &value[op->in[i]];
        status = read_value(lockstep, SIDE_FIRST, op->in[i], buffer, err);
        if (in->dtype == DTYPE_F32 || in->dtype == DTYPE_BF16)
            disturb(in, buffer);
        if (!status)
            status = write_value(lockstep, SIDE_DISTURBED, op->in[i], buffer, err);
    }
    lockstep->disturbed = false;
    return status;
}

/* How large the terms of an output are, whose elements are in the first buffer. By the mean change:
 * single elements change by much where a ReLU lets through what it did not. */
static enum status terms_of(struct lockstep *lockstep, int op, int output, double *terms,
                            struct error *err) {
    struct rig *rig = &lockstep->rig[SIDE_DISTURBED];
    const struct value *value = &program_of(lockstep)->value[output];
    int64_t count = shape_elements(value->shape);
    double change = 0;
    if (!lockstep->disturbed)
        exec_run_op(rig->exec, op, &rig->step);
    lockstep->disturbed = true; /* it may have written over its inputs */
    enum status status = read_value(lockstep, SIDE_DISTURBED, output, lockstep->buffer[1], err);
    for (int64_t i = 0; i < count; i++)
        change += fabs(plain_element(value->dtype, lockstep->buffer[1], i) -
                       plain_element(value->dtype, lockstep->buffer[0], i));
    *terms = change / (double)count / OFF;
    return status;
}

/* ---- steps ---- */

/* The prologue has run with exec_refresh, all of it. */
enum status lockstep_run(struct lockstep *lockstep, int op, struct error *err) {
    const struct op *the_op = &program_of(lockstep)->op[op];
    enum status status = prepare_disturbed(lockstep, the_op, err);
    for (int side = SIDE_FIRST; side <= SIDE_SECOND && !status; side++)
        if (the_op->section != SECTION_PROLOGUE)
            exec_run_op(lockstep->rig[side].exec, op, &lockstep->rig[side].step);
    return status;
}

struct difference {
    double size, output; /* roots of mean squares; NaN where something is not finite */
    double largest;
};

static struct difference difference_of(const struct value *value, const void *a, const void *b) {
    int64_t count = shape_elements(value->shape);
    double square = 0, difference = 0, largest = 0;
    for (int64_t i = 0; i < count; i++) {
        double x = plain_element(value->dtype, a, i), d = plain_element(value->dtype, b, i) - x;
        square += x * x;
        difference += d * d;
        largest = fabs(d) > largest ? fabs(d) : largest;
    }
    return (struct difference){sqrt(difference / (double)count), sqrt(square / (double)count),
                               largest};
}

static double relative(double size, double whole) {
    return size == 0 ? 0 : size / whole;
}

static enum status compare_value(struct lockstep *lockstep, int op, int output, struct error *err) {
    const struct program *program = program_of(lockstep);
    const struct value *value = &program->value[output];
    enum status status = STATUS_OK;
    for (int side = SIDE_FIRST; side <= SIDE_SECOND && !status; side++)
        status = read_value(lockstep, side, output, lockstep->buffer[side], err);
    if (status)
        return status;
    struct difference found = difference_of(value, lockstep->buffer[0], lockstep->buffer[1]);
    double part = relative(found.size, found.output), terms = 0;
    if (!(part <= lockstep->tolerance))
        status = terms_of(lockstep, op, output, &terms, err);
    if (terms > found.output)
        part = relative(found.size, terms);
    lockstep->compared++;
    if (part > lockstep->worst) {
        lockstep->worst = part;
        lockstep->worst_op = op;
    }
    if (status || part <= lockstep->tolerance)
        return status ? status
                      : write_value(lockstep, SIDE_SECOND, output, lockstep->buffer[0], err);
    return error_set(err, STATUS_CONFLICT,
                     "op %d (%s) differs in %s: %.3g relative, at most %.3g in an element; the "
                     "tolerance is %.3g",
                     op, op_table[program->op[op].code].name, value->name, part, found.largest,
                     lockstep->tolerance);
}

enum status lockstep_compare(struct lockstep *lockstep, int op, struct error *err) {
    const struct op *the_op = &program_of(lockstep)->op[op];
    enum status status = STATUS_OK;
    for (int i = 0; i < OP_MAX_OUT && !status; i++)
        if (has(lockstep, SIDE_FIRST, the_op->out[i]) && has(lockstep, SIDE_SECOND, the_op->out[i]))
            status = compare_value(lockstep, op, the_op->out[i], err);
    return status;
}
