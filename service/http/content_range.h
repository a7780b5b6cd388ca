/*
 * content_range.h - the Content-Range header of a request: which part of a file its body is.
 *
 * Threads: pure functions.
 */
#ifndef SERVICE_HTTP_CONTENT_RANGE_H
#define SERVICE_HTTP_CONTENT_RANGE_H

#include <stdbool.h>
#include <stdint.h>

struct content_range {
    int64_t first, last; /* both included; last is first - 1 where the body is empty */
    int64_t total;       /* bytes of the whole file; -1: not known yet */
};

/* Reads a text like "bytes 0-99/1000", or with * for the total; or "bytes *" and "/1000", which is
 * of an empty body at the end. False when it is none. */
bool content_range_parse(const char *header, struct content_range *range);

#endif
