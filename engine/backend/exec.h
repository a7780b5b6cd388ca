/*
 * exec.h - a program made runnable on a device.
 *
 * exec_create asks each kernel for its formats, puts in reorders, plans memory, allocates once and
 * prepares every kernel. After that a run allocates nothing.
 *
 * Ownership: borrows device, program and params, which must outlive it.
 * Threads:   one at a time, together with its device.
 */
#ifndef ENGINE_BACKEND_EXEC_H
#define ENGINE_BACKEND_EXEC_H

#include "engine/backend/params.h"

struct exec;

/* params[i] are the arenas of network i of the program. */
MUST_CHECK enum status exec_create(struct exec **out, struct device *device,
                                   const struct program *program, struct params *const *params,
                                   struct error *err);
void exec_free(struct exec *exec); /* NULL is allowed. */

/* Runs the prologue again; call it after parameters have changed from outside or by training. */
void exec_refresh(struct exec *exec);

/* Says where a shared value lies on the device. Call it before the first run; it holds for all
 * runs. */
void exec_bind(struct exec *exec, int value, void *ptr);

/* Runs all sections but the prologue, once. */
void exec_run(struct exec *exec, const struct step *step);

/* The same for some steps, at most STEP_SLOTS, one behind the other. On a device that captures,
 * STEP_SLOTS of them are one launch; the results do not depend on it. */
void exec_run_steps(struct exec *exec, const struct step *steps, int count);

/* Runs one logical op with the reorders it needs; for diff and bench. The first of ops that the
 * backend merges runs all of them, the others nothing. */
void exec_run_op(struct exec *exec, int op, const struct step *step);

/* Records what exec_run_op does, so many times, as one launch that exec_replay makes: ops of a few
 * microseconds cannot be timed otherwise. The program must have run before. Returns NULL on a
 * device that does not capture, or after its sticky error. exec_forget frees the recording. */
void *exec_record_op(struct exec *exec, int op, const struct step *step, int times);
void exec_replay(struct exec *exec, void *recorded);

/* Frees a recording, or nothing for NULL. All its replays must have finished. */
void exec_forget(struct exec *exec, void *recorded);

/* True if the value is stored. One between ops that the backend fuses may not be. */
bool exec_has(const struct exec *exec, int value);

/* Writes or reads a persistent value, or an activation that is alive, in PLAIN form. */
void exec_write(struct exec *exec, int value, const void *data);
void exec_read(struct exec *exec, int value, void *data);

/* Waits for the device; returns its sticky error, if there is one. */
MUST_CHECK enum status exec_synchronize(struct exec *exec, struct error *err);

/* Fills activations and workspace with NaN bytes, so that a kernel that leaves a part of its
 * output unwritten is found. */
void exec_poison(struct exec *exec);

struct exec_memory {
    size_t activation_bytes, activation_floor_bytes, persistent_bytes, workspace_bytes;
    int reorders; /* ops put in */
};
struct exec_memory exec_memory(const struct exec *exec); /* For explain and bench. */

#endif
