/*
 * reaper.h - looks after jobs of dead workers, and jobs whose time is over, a few times a lease.
 *
 * Workers do it, and servers, so that it is done also when no worker lives.
 *
 * Ownership: a struct reaper is the caller's storage; fill the first members and zero the rest.
 * Errors:    UNAVAILABLE when Redis does not answer.
 * Threads:   a struct belongs to one thread.
 */
#ifndef SERVICE_STORE_REAPER_H
#define SERVICE_STORE_REAPER_H

#include "service/store/queue.h"

struct reaper {
    struct redis_pool *pool;
    int64_t lease_ms, max_lost;
    int64_t due_ns; /* monotonic */
};

/* Reaps when it is due, and logs what that did. */
MUST_CHECK enum status reaper_step(struct reaper *reaper, struct error *err);

#endif
