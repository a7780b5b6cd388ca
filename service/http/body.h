/*
 * body.h - a request's body as it arrives, under a limit of its own and one for all together.
 *
 * Memory follows what has come, not what was announced.
 *
 * Ownership: body_release frees the bytes and gives back the share of the budget.
 * Errors:    TOO_LARGE for the own limit, UNAVAILABLE when all bodies together are too large.
 * Threads:   a body belongs to one thread, a budget to all.
 */
#ifndef SERVICE_HTTP_BODY_H
#define SERVICE_HTTP_BODY_H

#include "engine/base/status.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct body_budget {
    _Atomic int64_t used_bytes;
    int64_t max_bytes;
};

struct body {
    char *data; /* NUL-terminated when not NULL */
    size_t len, capacity;
    size_t max_bytes;
    struct body_budget *budget;
};

/* Appends bytes. */
MUST_CHECK enum status body_add(struct body *body, const char *bytes, size_t len,
                                struct error *err);

void body_release(struct body *body); /* Zeroed or filled. */

#endif
