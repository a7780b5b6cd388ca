#include "service/http/stream.h"

#include "api/limits.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A stream is asked at least so often, should a change be missed; so soon a key that is gone ends
 * what it reads. */
static const int64_t REFILL_NS = (int64_t)1000 * NS_PER_MS;

struct stream {
    struct stream *next; /* the pump's list */
    atomic_int owners;   /* the pump and the reply */
    struct stream_source source;
    bool due;       /* the pump's: ask the source now, */
    bool is_behind; /* and do not wait for that, as there is more and room for it */
    int64_t asked_ns, said_ns, checked_ns;

    pthread_mutex_t lock; /* for what follows */
    struct str pending;
    size_t taken_bytes; /* of pending */
    bool ended, closed, asleep;
    const struct stream_sleeper *sleeper;
    void *connection;
};

struct pump {
    struct feed *feed;
    pthread_t thread;
    atomic_bool stopping;
    pthread_mutex_t lock; /* for what follows */
    struct stream *streams;
    int count;
};

static void stream_disown(struct stream *stream) {
    if (atomic_fetch_sub(&stream->owners, 1) > 1)
        return;
    stream->source.release(stream->source.ctx);
    pthread_mutex_destroy(&stream->lock);
    str_release(&stream->pending);
    free(stream);
}

void stream_close(struct stream *stream) {
    if (!stream)
        return;
    pthread_mutex_lock(&stream->lock);
    stream->closed = true;
    pthread_mutex_unlock(&stream->lock);
    stream_disown(stream);
}

void stream_attach(struct stream *stream, const struct stream_sleeper *sleeper, void *connection) {
    stream->sleeper = sleeper;
    stream->connection = connection;
}

/* What was taken goes when it is the larger part, so that moving the rest costs little. */
static void drop_taken(struct stream *stream) {
    struct str *pending = &stream->pending;
    if (stream->taken_bytes <= pending->len / 2)
        return;
    pending->len -= stream->taken_bytes;
    memmove(pending->data, pending->data + stream->taken_bytes, pending->len);
    pending->data[pending->len] = '\0';
    stream->taken_bytes = 0;
}

/* Falling asleep and being woken happen under the lock, so that no wake is lost in between. */
ssize_t stream_take(struct stream *stream, char *out, size_t max) {
    pthread_mutex_lock(&stream->lock);
    size_t left = stream->pending.len - stream->taken_bytes;
    ssize_t result = (ssize_t)(left < max ? left : max);
    if (result > 0) {
        memcpy(out, stream->pending.data + stream->taken_bytes, (size_t)result);
        stream->taken_bytes += (size_t)result;
    } else if (stream->ended) {
        result = STREAM_ENDED;
    } else {
        stream->asleep = true;
        stream->sleeper->sleep(stream->connection);
    }
    drop_taken(stream);
    pthread_mutex_unlock(&stream->lock);
    return result;
}

/* Adds text, perhaps the end, and wakes the reader. */
static void stream_say(struct stream *stream, const char *text, bool ended) {
    pthread_mutex_lock(&stream->lock);
    str_add(&stream->pending, text);
    stream->ended |= ended;
    if (stream->asleep && (text[0] || ended)) {
        stream->asleep = false;
        stream->sleeper->wake(stream->connection);
    }
    pthread_mutex_unlock(&stream->lock);
}

/* The reader keeps up, so that the source may be asked. */
static bool stream_has_room(struct stream *stream) {
    pthread_mutex_lock(&stream->lock);
    bool room = stream->pending.len - stream->taken_bytes < LIMIT_STREAM_PENDING_BYTES;
    pthread_mutex_unlock(&stream->lock);
    return room;
}

static bool stream_is_closed(struct stream *stream) {
    pthread_mutex_lock(&stream->lock);
    bool closed = stream->closed;
    pthread_mutex_unlock(&stream->lock);
    return closed;
}

static enum status stream_refill(struct stream *stream, int64_t now_ns) {
    struct str text = STR_INIT;
    enum stream_next next = STREAM_WAITS;
    enum status status = stream->source.fill(stream->source.ctx, &text, &next, NULL);
    bool ended = next == STREAM_ENDS;
    if (text.len || ended) {
        stream_say(stream, str_text(&text), ended);
        stream->said_ns = now_ns;
    }
    stream->asked_ns = now_ns;
    stream->is_behind = !status && next == STREAM_HAS_MORE;
    stream->due = status || stream->is_behind; /* again in the next round */
    str_release(&text);
    return status;
}

/* Its time is over, or its reader's key is gone or may not read any more. */
static bool stream_is_over(struct stream *stream, int64_t now_ns) {
    const struct stream_source *source = &stream->source;
    if (source->ends_ns && now_ns >= source->ends_ns)
        return true;
    if (!source->keys || now_ns - stream->checked_ns < REFILL_NS)
        return false;
    stream->checked_ns = now_ns;
    return !key_ring_allows(source->keys, &source->reader, KEY_ROLE_READ);
}

static bool wants_heartbeat(const struct stream *stream, int64_t now_ns) {
    const struct stream_source *source = &stream->source;
    int64_t after_ms = source->heartbeat_ms ? source->heartbeat_ms : LIMIT_STREAM_HEARTBEAT_MS;
    return !source->quiet && now_ns - stream->said_ns >= after_ms * NS_PER_MS;
}

/* One round for one stream; an error means that the source does not answer at all. */
static enum status stream_turn(struct stream *stream, bool may_ask, int64_t now_ns) {
    enum status status = STATUS_OK;
    stream->is_behind = false;
    if (stream->ended)
        return status;
    if (stream_is_over(stream, now_ns)) {
        stream_say(stream, "", true);
        return status;
    }
    if (!stream_has_room(stream))
        return status;
    if (may_ask && (stream->due || now_ns - stream->asked_ns >= REFILL_NS))
        status = stream_refill(stream, now_ns);
    if (wants_heartbeat(stream, now_ns)) {
        stream_say(stream, ":\n\n", false);
        stream->said_ns = now_ns;
    }
    return status;
}

/* Takes closed streams off the list. */
static void pump_tidy(struct pump *pump) {
    struct stream *gone = NULL;
    pthread_mutex_lock(&pump->lock);
    for (struct stream **at = &pump->streams; *at;) {
        struct stream *stream = *at;
        if (!stream_is_closed(stream)) {
            at = &stream->next;
            continue;
        }
        *at = stream->next;
        stream->next = gone;
        gone = stream;
        pump->count--;
    }
    pthread_mutex_unlock(&pump->lock);
    while (gone) {
        struct stream *next = gone->next;
        stream_disown(gone);
        gone = next;
    }
}

/* The list as it is now. Others only add in front, so the rest may be walked without the lock. */
static struct stream *pump_first(struct pump *pump) {
    pthread_mutex_lock(&pump->lock);
    struct stream *first = pump->streams;
    pthread_mutex_unlock(&pump->lock);
    return first;
}

static void mark_due(void *ctx, const char *id) {
    struct pump *pump = ctx;
    for (struct stream *stream = pump_first(pump); stream; stream = stream->next)
        stream->due |= !id || str_equal(id, stream->source.topic);
}

/* A turn of each stream; true when one goes on at once. */
static bool pump_round(struct pump *pump) {
    int64_t now_ns = clock_mono_ns();
    bool may_ask = true, is_behind = false;
    for (struct stream *stream = pump_first(pump); stream; stream = stream->next) {
        may_ask &= stream_turn(stream, may_ask, now_ns) != STATUS_UNAVAILABLE;
        is_behind |= stream->is_behind;
    }
    return is_behind;
}

static void *pump_run(void *ctx) {
    struct pump *pump = ctx;
    int wait_ms = LIMIT_STREAM_POLL_MS;
    while (!atomic_load(&pump->stopping)) {
        if (!pump_first(pump) || feed_wait(pump->feed, wait_ms, mark_due, pump, NULL))
            clock_sleep_ms(wait_ms);
        wait_ms = pump_round(pump) ? 1 : LIMIT_STREAM_POLL_MS;
        pump_tidy(pump);
    }
    return NULL;
}

struct pump *pump_create(struct feed *feed) {
    struct pump *pump = xcalloc(1, sizeof *pump);
    pump->feed = feed;
    pthread_mutex_init(&pump->lock, NULL);
    CHECK(pthread_create(&pump->thread, NULL, pump_run, pump) == 0);
    return pump;
}

void pump_stop(struct pump *pump) {
    pthread_mutex_lock(&pump->lock); /* no stream_open is half way through */
    bool stopped = atomic_exchange(&pump->stopping, true);
    pthread_mutex_unlock(&pump->lock);
    if (stopped)
        return;
    pthread_join(pump->thread, NULL);
    for (struct stream *stream = pump_first(pump); stream; stream = stream->next)
        stream_say(stream, stream->source.quiet ? "" : ": the server is stopping\n\n", true);
}

void pump_free(struct pump *pump) {
    if (!pump)
        return;
    pump_stop(pump);
    for (struct stream *stream = pump->streams, *next; stream; stream = next) {
        next = stream->next;
        stream_disown(stream);
    }
    feed_free(pump->feed);
    pthread_mutex_destroy(&pump->lock);
    free(pump);
}

enum status stream_open(struct pump *pump, const struct stream_source *source, struct stream **out,
                        struct error *err) {
    struct stream *stream = xcalloc(1, sizeof *stream);
    stream->source = *source;
    stream->owners = 2;
    stream->due = true;
    stream->said_ns = clock_mono_ns();
    pthread_mutex_init(&stream->lock, NULL);
    pthread_mutex_lock(&pump->lock);
    bool accepted = !atomic_load(&pump->stopping) && pump->count < LIMIT_STREAMS;
    if (accepted) {
        stream->next = pump->streams;
        pump->streams = stream;
        pump->count++;
    }
    pthread_mutex_unlock(&pump->lock);
    if (accepted) {
        *out = stream;
        return STATUS_OK;
    }
    pthread_mutex_destroy(&stream->lock);
    free(stream);
    return error_set(err, STATUS_UNAVAILABLE, "%d streams are open already", LIMIT_STREAMS);
}
