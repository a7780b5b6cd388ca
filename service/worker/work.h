/*
 * work.h - the worker: claims jobs, trains, publishes, one job at a time, until told to stop.
 *
 * Blocking: work_main runs for the life of the process.
 * Threads:  main only.
 */
#ifndef SERVICE_WORKER_WORK_H
#define SERVICE_WORKER_WORK_H

#include "service/common/config.h"

/* `distilld work`: returns the exit status. SIGTERM makes it checkpoint, give its job back and
 * return. */
int work_main(const struct config *config);

#endif
