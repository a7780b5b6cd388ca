/*
 * byte_range.h - the Range header: one range of bytes, as resumed downloads ask for.
 *
 * Threads: pure functions.
 */
#ifndef SERVICE_HTTP_BYTE_RANGE_H
#define SERVICE_HTTP_BYTE_RANGE_H

#include <stdint.h>

struct byte_range {
    uint64_t first, last; /* both included */
};

enum byte_range_kind {
    BYTE_RANGE_NONE, /* no range that is understood: send all */
    BYTE_RANGE_PART,
    BYTE_RANGE_UNSATISFIABLE /* it begins after the end */
};

/* Reads "bytes=0-99", "bytes=100-" or "bytes=-100" for something of that size. */
enum byte_range_kind byte_range_parse(const char *header, uint64_t size, struct byte_range *range);

#endif
