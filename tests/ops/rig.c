#include "tests/ops/rig.h"

#include "engine/base/mem.h"
#include "tests/support/t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 2 };

const struct rig_other rig_others[RIG_OTHERS] = {{DEVICE_CPU, "cpu"}, {DEVICE_CUDA, "cuda"}};

struct rig_presence rig_find(enum device_kind kind) {
    struct device device;
    struct error err;
    struct rig_presence presence = {false, false};
    if (device_open(&device, kind, THREADS, &err) == STATUS_OK) {
        presence = (struct rig_presence){true, device.backend->bf16};
        printf("%s\n", device.identity);
        device_close(&device);
    } else {
        printf("left out: %s\n", err.message);
    }
    return presence;
}

void rig_close(struct rig *rig) {
    exec_free(rig->exec);
    params_release(&rig->params);
    device_close(&rig->device);
}

enum status rig_open(struct rig *rig, const struct problem *problem, enum device_kind kind,
                     struct error *err) {
    *rig = (struct rig){.problem = problem};
    struct params *params[PROGRAM_MAX_NETS] = {&rig->params};
    enum status status = device_open(&rig->device, kind, THREADS, err);
    if (status == STATUS_OK)
        status = params_create(&rig->params, &rig->device, &problem->table, 2, err);
    if (status == STATUS_OK)
        status = exec_create(&rig->exec, &rig->device, &problem->program, params, err);
    if (status != STATUS_OK)
        rig_close(rig);
    return status;
}

static bool written_by_rig(const struct value *value) {
    return value_is_persistent(value) && value->kind != VALUE_DERIVED;
}

void rig_load(struct rig *rig) {
    const struct program *program = &rig->problem->program;
    for (int i = 0; i < program->n_values; i++) {
        const struct value *value = &program->value[i];
        if (!written_by_rig(value))
            continue;
        void *poison = xmalloc(plain_bytes(value));
        memset(poison, 0xff, plain_bytes(value));
        exec_write(rig->exec, i, rig->problem->data[i] ? rig->problem->data[i] : poison);
        free(poison);
    }
    exec_refresh(rig->exec);
    exec_poison(rig->exec);
}

void rig_read(struct rig *rig, int value, struct snapshot *out) {
    free(out->data[value]);
    out->data[value] = xmalloc(plain_bytes(&rig->problem->program.value[value]));
    exec_read(rig->exec, value, out->data[value]);
}

void snapshot_release(struct snapshot *snapshot) {
    for (int i = 0; i < PROBLEM_VALUES; i++)
        free(snapshot->data[i]);
    memset(snapshot, 0, sizeof *snapshot);
}

/* One op; recorded: as a launch that is recorded first. */
static void run_op(struct rig *rig, int op, const struct step *step, bool recorded) {
    void *once = recorded ? exec_record_op(rig->exec, op, step, 1) : NULL;
    if (!once) {
        exec_run_op(rig->exec, op, step);
        return;
    }
    exec_replay(rig->exec, once);
    T_INT(exec_synchronize(rig->exec, NULL), STATUS_OK);
    exec_forget(rig->exec, once);
}

static void run_ops(struct rig *rig, const struct step *step, bool recorded, struct snapshot *out) {
    const struct program *program = &rig->problem->program;
    rig_load(rig);
    for (int i = 0; i < program->n_ops; i++) {
        if (program->op[i].section != SECTION_PROLOGUE)
            run_op(rig, i, step, recorded);
        for (int k = 0; k < OP_MAX_OUT; k++)
            if (program->op[i].out[k] != NO_VALUE && exec_has(rig->exec, program->op[i].out[k]))
                rig_read(rig, program->op[i].out[k], out);
    }
}

void rig_run_ops(struct rig *rig, const struct step *step, struct snapshot *out) {
    run_ops(rig, step, false, out);
}

void rig_run_recorded(struct rig *rig, const struct step *step, struct snapshot *out) {
    run_ops(rig, step, true, out);
}

void rig_run_program(struct rig *rig, const struct step *step, struct snapshot *out) {
    const struct program *program = &rig->problem->program;
    rig_load(rig);
    exec_run(rig->exec, step);
    for (int i = 0; i < program->n_values; i++)
        if (value_is_persistent(&program->value[i]))
            rig_read(rig, i, out);
}
