/*
 * listen.h - the socket that the server listens on.
 *
 * Errors:  INVALID for an address that is none, CONFLICT when it is in use, IO otherwise.
 * Threads: any.
 */
#ifndef SERVICE_HTTP_LISTEN_H
#define SERVICE_HTTP_LISTEN_H

#include "engine/base/status.h"

#include <stddef.h>

/* Binds a numeric address or a name (port 0: any free one), listens, and writes the URL
 * "http://HOST:PORT" of what was bound. */
MUST_CHECK enum status listen_open(int *out, const char *host, int port, char *url,
                                   size_t url_bytes, struct error *err);

#endif
