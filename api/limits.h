/*
 * limits.h - everything that a client can make grow or last, and where it ends.
 *
 * What an operator may want to change (connections, body size, time for a request, bytes of data
 * sets, loaded models, jobs of a key) is in service/common/config.h; what reading a picture, an
 * archive, a tensor file or JSON of the engine may take stands with its reader (PICTURE_MAX_ in
 * engine/data/picture.h, ENCODED_MAX_ITEMS and GZIP_MAX_RATIO beside it, SAFETENSORS_MAX_ and
 * JSON_MAX_ in engine/base); lengths of names and lists with their fields. These are the rest.
 * The Lua scripts of the store have them by @NAME@, where a plain number stands here.
 *
 * Units: bytes, milliseconds, or a count, as the name says.
 */
#ifndef API_LIMITS_H
#define API_LIMITS_H

#include <stdint.h>

/* Logits of one job that predicts: pictures times classes times four. */
#define LIMIT_PREDICTIONS_BYTES ((int64_t)16 << 30)

/* Numbers of points and events: what a number of JSON holds exactly. */
#define LIMIT_SEQ (((int64_t)1 << 53) - 1)

enum {
    /* One connection */
    LIMIT_CONNECTION_BYTES = 32 * 1024, /* request line and headers; more is 431 */
    LIMIT_HEADERS = 64,
    LIMIT_INACTIVE_S = 60, /* a stream whose client does not read */

    /* Parts of a request */
    LIMIT_RATE_CALLERS = 4096, /* whose requests are counted */
    LIMIT_TARGET_SEGMENTS = 8,
    LIMIT_TARGET_PARAMS = 16,
    LIMIT_JSON_BYTES = 1 << 20, /* body of a request other than a prediction */
    LIMIT_JSON_DEPTH = 32,
    LIMIT_IDEMPOTENCY_KEY = 200,        /* characters */
    LIMIT_PICTURES = 64,                /* of one POST /predict, parts of a form among them */
    LIMIT_V2_PICTURES = 1024,           /* of one request under /v2, as pixels */
    LIMIT_V2_ENCODED = 64,              /* of those, as files */
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
    LIMIT_JOBS_LOOKED_AT = 1000, /* entries of an index, for one page */
    LIMIT_POINTS = 100 * 1000,   /* points of one answer */
    LIMIT_POINTS_READ = 10000,   /* of them from Redis at once */
    LIMIT_EVENTS = 1000,         /* events of one answer */
    LIMIT_LOG_LINES = 100000,    /* of one answer */
    LIMIT_SAMPLES = 64,          /* pictures of one answer */
    LIMIT_RETRY_AFTER_S = 2,

    /* What is kept. One more is refused; of messages, events and log lines the oldest goes. */
    LIMIT_JOBS = 100000,
    LIMIT_JOB_EVENTS = 1000,
    LIMIT_JOB_POINTS = 2000000, /* that the spec of one asks for */
    LIMIT_JOB_LOG_BYTES = 1 << 20,
    LIMIT_CHECKPOINTS = 128, /* of one job */
    LIMIT_DEPENDANTS = 1000, /* jobs that wait for the same one */
    LIMIT_IDEMPOTENCY_MS = 24 * 60 * 60 * 1000,
    LIMIT_MODELS = 20000, /* jobs that are queued still add theirs */
    LIMIT_DATASETS = 10000,
    LIMIT_ALIASES = 1000,
    LIMIT_KEYS = 1000,
    LIMIT_UPLOADS_OPEN = 64,
    LIMIT_UPLOAD_FILES = 64, /* of one */
    LIMIT_WEBHOOKS = 64,
    LIMIT_MESSAGES = 1000, /* that wait for one webhook */
    LIMIT_CHANGES = 256,   /* of jobs, for those who wait for them */
    LIMIT_WORKERS = 1000,  /* that are shown */

    /* Work that does not fit a request's thread */
    LIMIT_IMPORTS_WAITING = 8,
    LIMIT_LOADS_WAITING = 256,
    LIMIT_LOADERS = 2,
    LIMIT_INLINE_PIXELS = 2000 * 1000, /* that it decodes itself, */
    LIMIT_INLINE_POINTS = 500,         /* and points of a curve */
    LIMIT_DECODES_WAITING = 256,
    LIMIT_DECODERS = 2,
    LIMIT_MESSAGES_SENDING = 32, /* to webhooks */
    LIMIT_MESSAGE_TRIES = 10,
    LIMIT_POINTS_WAITING = 65536 /* in a worker, while Redis is away */
};

#endif
