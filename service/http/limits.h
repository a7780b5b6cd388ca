/*
 * limits.h - everything that a client can make grow or last, and where it ends.
 *
 * What an operator may want to change (connections, body size, time for a request) is in
 * service/common/config.h; these are the rest.
 *
 * Units: bytes, milliseconds, or a count, as the name says.
 */
#ifndef SERVICE_HTTP_LIMITS_H
#define SERVICE_HTTP_LIMITS_H

#include <stdint.h>

enum { NS_PER_MS = 1000 * 1000 };

/* Logits of one job that predicts: pictures times classes times four. */
#define LIMIT_PREDICTIONS_BYTES ((int64_t)16 << 30)

enum {
    /* One connection */
    LIMIT_CONNECTION_BYTES = 32 * 1024, /* request line and headers; more is 431 */
    LIMIT_HEADERS = 64,
    LIMIT_INACTIVE_S = 60, /* a stream whose client does not read */

    /* Parts of a request */
    LIMIT_RATE_CALLERS = 4096, /* whose requests are counted */
    LIMIT_TARGET_SEGMENTS = 8,
    LIMIT_TARGET_PARAMS = 16,
    LIMIT_JSON_BYTES = 1 << 20,         /* body of a request other than a prediction */
    LIMIT_UNUSED_BODY_BYTES = 64 << 10, /* body where none is looked at */
    LIMIT_WEIGHTS_BYTES = 1 << 30,      /* weights that are uploaded; they go to a file */
    LIMIT_UPLOADS = 8,                  /* at the same time */
    LIMIT_BODIES_BYTES = 512 << 20,     /* all bodies that are held at the same time */

    /* Time. A body, and an answer to it, must keep up a rate after some grace. */
    LIMIT_GRACE_MS = 10 * 1000,
    LIMIT_RATE_BYTES_PER_S = 4 * 1024,
    LIMIT_UPLOAD_RATE_BYTES_PER_S = 64 * 1024, /* weights, which have no limit as a whole */
    LIMIT_LINGER_MS = 2 * 1000,                /* for reading on after a refusal */
    LIMIT_SWEEP_MS = 250,                      /* how often deadlines are looked at */

    /* Streams */
    LIMIT_STREAMS = 2048,
    LIMIT_STREAM_PENDING_BYTES = 256 * 1024, /* nothing is read for a client that far behind */
    LIMIT_STREAM_POLL_MS = 200,
    LIMIT_STREAM_HEARTBEAT_MS = 15 * 1000,
    LIMIT_STREAM_POINTS = 500, /* read at once */
    LIMIT_WAIT_S = 60,         /* how long a GET may wait for a change */

    /* Answers */
    LIMIT_PAGE = 200, /* items of a list; 20 when not said */
    LIMIT_PAGE_DEFAULT = 20,
    LIMIT_POINTS = 100 * 1000, /* points of one answer */
    LIMIT_EVENTS = 1000,       /* events of one answer */
    LIMIT_RETRY_AFTER_S = 2,

    /* Work that does not fit a request's thread */
    LIMIT_IMPORTS_WAITING = 8,
    LIMIT_LOADS_WAITING = 256,
    LIMIT_LOADERS = 2
};

#endif
