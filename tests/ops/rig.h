/*
 * rig.h - a problem on a device: load its data, run it, read what it computed.
 *
 * Ownership: a rig borrows its problem; rig_open ... rig_close, snapshots are released.
 */
#ifndef TESTS_OPS_RIG_H
#define TESTS_OPS_RIG_H

#include "tests/ops/problem.h"

#include "engine/backend/exec.h"

struct rig {
    const struct problem *problem;
    struct device device;
    struct params params;
    struct exec *exec;
};

/* What every value held after its op. */
struct snapshot {
    void *data[PROBLEM_VALUES]; /* PLAIN; NULL: not read */
};

/* The backends that are held to ref. */
enum { RIG_OTHERS = 2 };
extern const struct rig_other {
    enum device_kind kind;
    const char *name;
} rig_others[RIG_OTHERS];

/* Whether a backend opens on this machine, and whether it computes in bf16; printed. */
struct rig_presence {
    bool here, bf16;
} rig_find(enum device_kind kind);

/* Opens the device and prepares the problem's program; nothing is left open on failure. */
MUST_CHECK enum status rig_open(struct rig *rig, const struct problem *problem,
                                enum device_kind kind, struct error *err);
void rig_close(struct rig *rig); /* Zeroed or open. */

/* Inputs and parameters as the problem says, everything else poisoned. */
void rig_load(struct rig *rig);

/* Loads, runs op by op, and reads each output while it is alive. */
void rig_run_ops(struct rig *rig, const struct step *step, struct snapshot *out);

/* The same, each op recorded and replayed, where the device captures and the program has run. */
void rig_run_recorded(struct rig *rig, const struct step *step, struct snapshot *out);

/* Loads, runs the program as a whole, and reads what outlives it. */
void rig_run_program(struct rig *rig, const struct step *step, struct snapshot *out);

/* Reads one value that is alive. */
void rig_read(struct rig *rig, int value, struct snapshot *out);
void snapshot_release(struct snapshot *snapshot); /* Zeroed or filled; empty again. */

#endif
