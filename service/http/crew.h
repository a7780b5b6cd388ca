/*
 * crew.h - a few threads for work that would hold up a thread of the server.
 *
 * Ownership: crew_create ... crew_free. A task belongs to whoever hands it in, until it has run.
 * Errors:    UNAVAILABLE when too many tasks wait, or the crew is stopping.
 * Threads:   any may submit; tasks run on the crew's threads, in order of arrival.
 */
#ifndef SERVICE_HTTP_CREW_H
#define SERVICE_HTTP_CREW_H

#include "engine/base/status.h"

struct crew;

/* One piece of work; part of a larger struct. */
struct task {
    void (*run)(struct task *task);
    struct task *next; /* private */
};

/* A crew of so many threads; at most max_waiting tasks wait. */
struct crew *crew_create(int threads, int max_waiting);

/* Hands in a task. It may have run, and be gone, when this returns. */
MUST_CHECK enum status crew_submit(struct crew *crew, struct task *task, struct error *err);

void crew_free(struct crew *crew); /* Finishes all that was handed in; NULL is allowed. */

#endif
