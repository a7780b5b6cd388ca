/*
 * resident.h - a split that stays in a device's memory, where programs take their batches from it.
 *
 * Pictures and labels are uploaded once, the order of an epoch when the epoch begins. Batches are
 * those that a loader of the same plan would make (loader_copies must hold).
 *
 * Ownership: borrows the device, which must outlive it, and the plan's data set.
 * Errors:    OUT_OF_MEMORY.
 * Threads:   as its device.
 */
#ifndef ENGINE_SESSION_RESIDENT_H
#define ENGINE_SESSION_RESIDENT_H

#include "engine/backend/exec.h"
#include "engine/data/loader.h"
#include "engine/session/programs.h"

struct resident {
    struct device *device;
    struct loader_plan plan;
    int count;                     /* pictures; 0 while nothing is here */
    void *images, *labels, *order; /* on the device */
    int32_t *host_order;           /* [count] */
    uint32_t epoch;                /* whose order it is; 0: none yet */
};

/* Uploads pictures and labels; nothing is left behind on failure. */
MUST_CHECK enum status resident_create(struct resident *resident, struct device *device,
                                       const struct loader_plan *plan, struct error *err);
void resident_release(struct resident *resident); /* Zeroed or created; zeroed again. */

/* Binds the executable's data inputs to these arrays. Its program must have been built for this
 * number of resident pictures. */
void resident_bind(const struct resident *resident, const struct run_program *program,
                   struct exec *exec);

/* Steps that are run from here on are of this epoch. */
void resident_turn(struct resident *resident, uint32_t epoch);

#endif
