/*
 * leftovers.h - removes what a worker that was killed could not remove any more.
 *
 * A job's folder goes right after its success, or that it is cancelled, was told; who dies in
 * between leaves it. Folders of all other jobs stay, unknown ones too: they hold checkpoints.
 *
 * Threads: any; others may do the same at the same time.
 */
#ifndef SERVICE_WORKER_LEFTOVERS_H
#define SERVICE_WORKER_LEFTOVERS_H

#include "service/store/redis.h"

/* Looks at every job's folder once; what fails is left for the next time. */
void leftovers_remove(const char *data, struct redis_pool *pool);

#endif
