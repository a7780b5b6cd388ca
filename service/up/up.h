/*
 * up.h - the whole service on one machine: a private Redis, the HTTP server and one worker.
 *
 * Threads: main only; blocks for the life of the process.
 */
#ifndef SERVICE_UP_UP_H
#define SERVICE_UP_UP_H

#include "service/common/config.h"

/* `distilld up`: starts this program again as `serve` and as `work` with the settings argv, prints
 * "distilld ready URL" on standard output once all answer, and restarts what dies. SIGTERM or
 * SIGINT drains: first worker and server, then Redis. Returns the exit status. */
int up_main(const struct config *config, int argc, char *const *argv);

#endif
