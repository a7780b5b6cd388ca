/*
 * multipart.h - the parts of a body of type multipart/form-data (RFC 7578), without copies.
 *
 *     struct multipart form;
 *     struct multipart_part part;
 *     status = multipart_begin(&form, content_type, body, len, &err);
 *     while (!status && !form.is_done) status = multipart_next(&form, &part, &err);
 *
 * Ownership: parts point into the body.
 * Errors:    INVALID without a field: no boundary, or a body that does not keep to it.
 * Threads:   pure functions.
 */
#ifndef SERVICE_HTTP_MULTIPART_H
#define SERVICE_HTTP_MULTIPART_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { MULTIPART_BOUNDARY_BYTES = 70 }; /* RFC 2046 */

struct multipart {
    bool is_done; /* there are no more parts */
    /* from here on private */
    const char *at, *end;
    int count;
    size_t delimiter_len;
    char delimiter[sizeof "\r\n--" + MULTIPART_BOUNDARY_BYTES];
};

struct multipart_part {
    const char *bytes; /* what was sent, without its headers */
    size_t len;
};

/* Begins with a body; header is the whole Content-Type, with its boundary. */
MUST_CHECK enum status multipart_begin(struct multipart *form, const char *header, const char *body,
                                       size_t len, struct error *err);

/* The next part; only while the form is not done. */
MUST_CHECK enum status multipart_next(struct multipart *form, struct multipart_part *part,
                                      struct error *err);

#endif
