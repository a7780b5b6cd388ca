/*
 * retention.h - removes what nobody wants to keep any longer, a little at a time.
 *
 * A step looks at a few finished jobs and removes those, or their kept checkpoints, that finished
 * too long ago; the next one goes on behind them, and begins again at the end. Redis knows of a
 * removed job until its files are gone, too, so that a step finds what a killed server has left.
 * Any number of servers may do this at once: a job is removed by the transition that users have,
 * and removing a file that is gone is no error. Models stay.
 *
 * Ownership: a struct retention is the caller's storage; fill the first members and zero the rest.
 * Errors:    UNAVAILABLE when Redis does not answer, file errors as in base/file.h.
 * Threads:   a struct belongs to one thread.
 */
#ifndef SERVICE_STORE_RETENTION_H
#define SERVICE_STORE_RETENTION_H

#include "service/store/jobs.h"

enum { RETENTION_LOOK = 20 }; /* jobs of a step */

struct retention {
    struct redis_pool *pool;
    const char *data;
    int64_t keep_jobs_ms, keep_checkpoints_ms; /* after the job's end; 0: for ever */
    int state;                                 /* which of the final states it is at */
    char after[ID_BYTES];                      /* where in it */
    int64_t jobs, checkpoints;                 /* jobs so far that were removed, or theirs */
};

/* One step. */
MUST_CHECK enum status retention_step(struct retention *retention, struct error *err);

/* Removes a finished job with all that is its own, in Redis and in the data directory; files that
 * withstand are left to the next step. */
MUST_CHECK enum status retention_remove_job(struct redis_pool *pool, const char *data,
                                            const char *id, struct error *err);

#endif
