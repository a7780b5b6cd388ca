/*
 * rate.h - how many requests each caller may send: a token bucket for each, in a table of fixed
 * size.
 *
 * A bucket holds `burst` tokens, a request takes one, and `per_s` come back in a second. Where the
 * table is full, the bucket that was not used for longest makes room: its caller begins anew.
 *
 * Ownership: rate_table_create ... rate_table_free.
 * Threads:   any.
 */
#ifndef SERVICE_HTTP_RATE_H
#define SERVICE_HTTP_RATE_H

#include <stdbool.h>
#include <stdint.h>

enum { RATE_NAME_BYTES = 64 };

struct rate {
    double per_s; /* 0: no limit */
    double burst; /* at least 1 */
};

/* What a caller has left. */
struct rate_left {
    struct rate rate;
    bool allowed;
    double tokens;   /* after this request */
    double refill_s; /* until the bucket is full again */
    double wait_s;   /* until there is a token; 0 when allowed */
};

struct rate_table;

struct rate_table *rate_table_create(void);     /* All buckets are full. */
void rate_table_free(struct rate_table *table); /* NULL is allowed. */

/* Takes a token of the caller's bucket, if there is one, at this time of the monotonic clock. */
struct rate_left rate_take(struct rate_table *table, const char *caller, const struct rate *rate,
                           int64_t now_ns);

#endif
