/*
 * listen.h - the socket that the server listens on.
 *
 * Errors:  INVALID for an address that is none, CONFLICT when it is in use, IO otherwise.
 * Threads: any.
 */
#ifndef SERVICE_HTTP_LISTEN_H
#define SERVICE_HTTP_LISTEN_H

#include "service/common/config.h"

#include <stddef.h>

/* Binds the configured address, which is a number or a name, and port (0: any free one), listens,
 * and writes the URL of what was bound: "http://HOST:PORT", or https. */
MUST_CHECK enum status listen_open(int *out, const struct config *config, char *url,
                                   size_t url_bytes, struct error *err);

#endif
