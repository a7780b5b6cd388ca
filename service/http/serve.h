/*
 * serve.h - the HTTP role of distilld.
 *
 * Threads: main only; blocks for the life of the process.
 */
#ifndef SERVICE_HTTP_SERVE_H
#define SERVICE_HTTP_SERVE_H

#include "service/common/config.h"

/* `distilld serve`: returns the exit status. Redis need not be there yet. When requests are
 * accepted it writes its URL and a line feed to config->ready_fd (ready.h), or a line
 * "distilld ready URL" to standard output where there is no such descriptor. SIGTERM makes it
 * finish what it has and return. */
int serve_main(const struct config *config);

#endif
