/*
 * slot.h - a worker's place on its machine, which gives it a name that outlives the process.
 *
 * A slot is a locked file <data>/workers/<n>.lock. The kernel frees it when the process ends,
 * however that happens, so the next worker on this data directory takes the same slot and name, and
 * Redis learns that the one before is dead without waiting for its lease.
 *
 * Ownership: slot_open ... slot_close.
 * Errors:    file errors as in base/file.h.
 */
#ifndef SERVICE_WORKER_SLOT_H
#define SERVICE_WORKER_SLOT_H

#include "service/store/queue.h"

struct slot {
    int fd;
    struct worker_name name;
};

/* Takes the first free slot of a data directory. */
MUST_CHECK enum status slot_open(struct slot *slot, const char *data, struct error *err);
void slot_close(struct slot *slot); /* Open, or fd -1. */

#endif
