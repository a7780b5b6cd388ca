/*
 * framing.h - refuses requests of which two servers could think differently where they end.
 *
 * libmicrohttpd 0.9.75 (Debian 12) accepts duplicate Content-Length, Content-Length beside
 * Transfer-Encoding, header names with spaces, and folded lines (which it even glues to the
 * header's name). Behind a proxy each of them lets a second request be smuggled in. So the
 * headers are checked here, as they came, before anything is believed. libmicrohttpd 1.0 refuses
 * some of it itself, with a page of its own (server.c).
 *
 * Errors:  INVALID for what is malformed or ambiguous, UNSUPPORTED for a transfer coding other
 *          than chunked, TOO_LARGE for too many headers. The connection must then be closed.
 * Threads: pure functions.
 */
#ifndef SERVICE_HTTP_FRAMING_H
#define SERVICE_HTTP_FRAMING_H

#include "api/limits.h"
#include "engine/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_header {
    const char *name, *value;
    size_t name_len, value_len;
    bool irregular; /* folded, or the line did not end with CR LF */
};

struct http_headers {
    int count;
    bool overflow; /* there were more */
    struct http_header item[LIMIT_HEADERS];
};

/* What the headers say about the body. */
struct framing {
    bool chunked;
    bool expects_continue;
    uint64_t length; /* of a body that is not chunked; 0: none */
};

/* Checks all headers of a request of that version ("HTTP/1.1"). */
MUST_CHECK enum status framing_check(const struct http_headers *headers, const char *version,
                                     struct framing *framing, struct error *err);

#endif
