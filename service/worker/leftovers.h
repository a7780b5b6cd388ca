/*
 * leftovers.h - removes what a worker that was killed could not remove any more.
 *
 * A worker first reports that a job succeeded or was cancelled, then removes its folder. If it dies
 * in between, the folder stays, and is removed here. All other folders stay, those of unknown jobs
 * too: they hold checkpoints.
 *
 * Threads: any; others may do the same at the same time.
 */
#ifndef SERVICE_WORKER_LEFTOVERS_H
#define SERVICE_WORKER_LEFTOVERS_H

#include "service/store/redis.h"

/* Looks at every job's folder once; what fails is left for the next time. */
void leftovers_remove(const char *data, struct redis_pool *pool);

#endif
