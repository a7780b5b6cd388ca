/*
 * diff.c - `distill diff`: runs two backends in lock-step and names the first op that differs.
 */
#include "engine/cli/line.h"
#include "engine/cli/lockstep.h"

#include <math.h>

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
static const struct field_table table = FIELD_TABLE("diff", rows);

static enum status find_device(const char *name, enum device_kind *kind, struct error *err) {
    int found = str_index(device_names, name);
    *kind = (enum device_kind)found;
    if (found > DEVICE_AUTO)
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, "backend", "backend \"%s\" is not cpu, ref or cuda",
                           name);
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
    struct lockstep lockstep = {0};
    enum status status = lockstep_open(&lockstep, plan, kinds, tolerance, err);
    for (int op = 0; op < plan->run.program.n_ops && !status; op++) {
        status = lockstep_run(&lockstep, op, err);
        if (!status)
            status = lockstep_compare(&lockstep, op, err);
    }
    if (!status)
        print_result(&lockstep);
    lockstep_close(&lockstep);
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
    .required = {"student"},
    .table = &table,
    .options_bytes = sizeof(struct diff_command),
    .run = run,
};
