/*
 * explain.c - `distill explain`: prints a program, and what memory it takes on a device.
 */
#include "engine/cli/rig.h"

#include "engine/graph/explain.h"

#include <stdio.h>

struct explain_command {
    struct rig_options rig;
    int device; /* 0: none, else 1 + enum device_kind */
};

static const struct field rows[] = {
    RIG_ROWS,
    {FIELD_MEMBER(struct explain_command, device), .type = FIELD_ENUM,
     .choices = FIELD_WORDS("none", "auto", "cpu", "ref", "cuda"), .fallback = "none",
     .doc = "Backend whose memory and reorders to add."},
};
static const struct field_table table = FIELD_TABLE("explain", rows);

static enum status print_memory(const struct rig_plan *plan, enum device_kind kind,
                                struct error *err) {
    struct rig rig = {0};
    enum status status = rig_open(&rig, plan, kind, err);
    if (status)
        return status;
    struct exec_memory memory = exec_memory(rig.exec);
    printf("device %s\n", rig.device.identity);
    printf("  activations %zu bytes, at least %zu; others %zu; workspace %zu; reorders %d\n",
           memory.activation_bytes, memory.activation_floor_bytes, memory.persistent_bytes,
           memory.workspace_bytes, memory.reorders);
    rig_close(&rig);
    return STATUS_OK;
}

static void add_cost(struct str *out, const char *who, const struct network *network) {
    struct network_cost cost = network_cost(network);
    str_addf(out, "%s %s: parameters %lld, multiply-adds of a picture %lld\n", who,
             network->architecture->name, (long long)cost.parameters,
             (long long)cost.multiply_adds);
}

static enum status run(void *options, const struct names *names, struct error *err) {
    const struct explain_command *command = options;
    struct rig_plan plan;
    struct str text = STR_INIT;
    (void)names;
    enum status status = rig_plan_open(&plan, &command->rig, err);
    if (status)
        return status;
    explain_program(&plan.run.program, &text);
    add_cost(&text, "student", &plan.student);
    if (plan.teacher.architecture)
        add_cost(&text, "teacher", &plan.teacher);
    str_addf(&text, "activations %zu bytes\n", program_activation_bytes(&plan.run.program));
    fputs(str_text(&text), stdout);
    str_release(&text);
    if (command->device)
        status = print_memory(&plan, (enum device_kind)(command->device - 1), err);
    rig_plan_close(&plan);
    return status;
}

const struct command command_explain = {
    .name = "explain",
    .sentence = "Prints the program of a training step or a forward pass.",
    .required = {"student"},
    .table = &table,
    .options_bytes = sizeof(struct explain_command),
    .run = run,
};
