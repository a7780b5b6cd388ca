/*
 * ready.h - what a child of `distilld up` says to it: one line on the pipe config->ready_fd, that
 * it is ready, or why it never will be.
 *
 * Threads: main only.
 */
#ifndef SERVICE_COMMON_READY_H
#define SERVICE_COMMON_READY_H

#include "service/common/config.h"

/* Begins the line of a child that cannot start with these settings; the reason follows. */
#define READY_REFUSAL "refused: "

/* Says the line and closes the pipe. Nobody listens where ready_fd is -1. */
void ready_say(const struct config *config, const char *line);

/* Says why this process does not start, if another try would end in the same way: a setting is
 * wrong, or the state does not allow it. */
void ready_refuse(const struct config *config, const struct error *err);

#endif
