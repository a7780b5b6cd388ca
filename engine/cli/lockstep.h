/*
 * lockstep.h - two backends run a program op by op on the same values, for diff.
 *
 * After each op its outputs are compared by the root of the mean square of the difference, because
 * single elements may differ by much: where an input of a ReLU is nearly zero, a rounding error
 * decides about a whole gradient. The second side then goes on from the first one's outputs, so
 * that each op is judged by itself. Memory is filled with NaN before, so that what a kernel forgets
 * to write is found too.
 *
 * A difference is told relative to the first side's output or, where these are larger, to the terms
 * whose sum the output is. The gradient of a bias in front of a batch norm needs this: its terms
 * add up to zero, so only their rounding errors are left, and no two backends have the same. A
 * third side measures how large the terms are. It is the first backend with inputs that are off by
 * a small part: if t are the terms, the output changes by that part of about the root of the sum of
 * t^2, whatever they add up to.
 *
 * Ownership: open ... close; borrows the plan.
 * Errors:    CONFLICT names the op and the output that differ.
 */
#ifndef ENGINE_CLI_LOCKSTEP_H
#define ENGINE_CLI_LOCKSTEP_H

#include "engine/cli/rig.h"

enum lockstep_side { SIDE_FIRST, SIDE_SECOND, SIDE_DISTURBED, SIDE_COUNT };

struct lockstep {
    struct rig rig[SIDE_COUNT];
    void *buffer[2]; /* room for the largest value */
    double tolerance;
    bool disturbed; /* the third side has run the op */
    /* results so far */
    double worst;
    int worst_op, compared;
};

/* Opens the plan on a first and a second backend; lockstep is zeroed storage. */
MUST_CHECK enum status lockstep_open(struct lockstep *lockstep, const struct rig_plan *plan,
                                     const enum device_kind kinds[2], double tolerance,
                                     struct error *err);
void lockstep_close(struct lockstep *lockstep); /* Zeroed or open. */

/* Runs an op on both sides; ops in their order, each is then compared. */
MUST_CHECK enum status lockstep_run(struct lockstep *lockstep, int op, struct error *err);

/* Compares the outputs that both sides have, and gives the second side those of the first. A side
 * that computes several ops at once may lack some. */
MUST_CHECK enum status lockstep_compare(struct lockstep *lockstep, int op, struct error *err);

#endif
