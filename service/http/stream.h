/*
 * stream.h - replies that go on: one thread asks sources for text, connections send it on.
 *
 * The pump's thread fills the streams whose topic has changed (and now and then all of them), and
 * sends a comment where nothing was said for a while, which also finds out clients that left. A
 * connection takes what is there and sleeps when there is nothing. What waits for a client that
 * does not read is bounded: its source is then not asked.
 *
 * Ownership: a stream belongs to its reply (stream_close), its source to the stream.
 * Errors:    UNAVAILABLE when there are too many streams or the pump is stopping.
 * Threads:   stream_open and stream_close from any; stream_take by the connection's thread; fill
 *            and release of a source are called by the pump's.
 */
#ifndef SERVICE_HTTP_STREAM_H
#define SERVICE_HTTP_STREAM_H

#include "engine/base/str.h"
#include "service/store/jobs.h"
#include "service/store/key_ring.h"

#include <sys/types.h>

struct pump;
struct stream;

/* What comes after some text of a source. */
enum stream_next {
    STREAM_WAITS,    /* nothing for now */
    STREAM_HAS_MORE, /* more, at once */
    STREAM_ENDS
};

/* Where a stream's text comes from. */
struct stream_source {
    void *ctx;
    char topic[ID_BYTES]; /* id of the job whose changes it tells */
    /* Appends what is new and says what comes after it, which was STREAM_WAITS. An error is tried
     * again later, unless the stream ends. */
    enum status (*fill)(void *ctx, struct str *out, enum stream_next *next, struct error *err);
    void (*release)(void *ctx);
    bool quiet;               /* nothing but this text: no comments */
    int64_t heartbeat_ms;     /* of silence bring a comment; 0: LIMIT_STREAM_HEARTBEAT_MS */
    int64_t ends_ns;          /* monotonic time at which the stream ends by itself; 0: never */
    struct key_ring *keys;    /* where the reader's key must stay, or the stream ends; or NULL */
    struct key_holder reader; /* in these */
};

/* How a connection is put to sleep and woken. */
struct stream_sleeper {
    void (*sleep)(void *connection);
    void (*wake)(void *connection);
};

/* Starts the thread; it takes ownership of the feed of changes. */
struct pump *pump_create(struct feed *feed);

void pump_stop(struct pump *pump); /* Ends all streams, and refuses new ones. */
void pump_free(struct pump *pump); /* Stops, then frees; NULL is allowed. */

/* A new stream of this source, whose ctx it owns from then on if it succeeds. */
MUST_CHECK enum status stream_open(struct pump *pump, const struct stream_source *source,
                                   struct stream **out, struct error *err);

void stream_close(struct stream *stream); /* Nobody reads it any more; NULL is allowed. */

/* Says which connection reads, before the first stream_take. */
void stream_attach(struct stream *stream, const struct stream_sleeper *sleeper, void *connection);

enum { STREAM_ENDED = -1 };

/* Copies up to max bytes and returns how many; 0 after having put the connection to sleep;
 * STREAM_ENDED at the end. */
ssize_t stream_take(struct stream *stream, char *out, size_t max);

#endif
