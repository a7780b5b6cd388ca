/*
 * outbox.h - points of a learning curve on their way to Redis, in order, none lost.
 *
 * Each point is also kept in a file of the job's folder until it has been published: when a worker
 * is killed while Redis is away, the next attempt publishes what this one could not.
 *
 * Ownership: init and release; the storage is the caller's and does not move.
 * Errors:    of files as in base/file.h; UNAVAILABLE when too many points wait.
 * Threads:   any; a lock is inside.
 */
#ifndef SERVICE_WORKER_OUTBOX_H
#define SERVICE_WORKER_OUTBOX_H

#include "engine/session/trainer.h"

#include <pthread.h>

struct outbox {
    pthread_mutex_t lock;
    int fd;                     /* the file: the waiting points, in order */
    struct metric_point *point; /* [capacity], a ring */
    int first, count, capacity;
    bool unsynced;
};

void outbox_init(struct outbox *outbox);    /* Empty, without a file. */
void outbox_release(struct outbox *outbox); /* The file stays. */

/* Opens the file, once, and loads the points that an earlier attempt left there. */
MUST_CHECK enum status outbox_open(struct outbox *outbox, const char *path, struct error *err);

/* Adds a point behind the others; the file is open. */
MUST_CHECK enum status outbox_add(struct outbox *outbox, const struct metric_point *point,
                                  struct error *err);

/* The first point that waits; false when none does. */
bool outbox_first(struct outbox *outbox, struct metric_point *point);

/* Removes the first point: it has been published. */
void outbox_remove_first(struct outbox *outbox);

/* Syncs the file, so that a checkpoint is never newer than the points before it. */
void outbox_sync(struct outbox *outbox);

#endif
