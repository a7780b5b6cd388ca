/* Streams: a source that the pump asks, a connection that sleeps and is woken. */
#include "service/http/stream.h"

#include "api/limits.h"
#include "engine/base/clock.h"
#include "tests/support/t.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

/* A source that says "0\n", "1\n", ... and ends, or never says anything. */
struct source {
    int next, count;
    bool silent, quiet;
    int64_t heartbeat_ms;
    size_t padding_bytes;     /* behind each number */
    enum stream_next next_is; /* after each but the last */
    atomic_int asked, released;
};

static enum status fill(void *ctx, struct str *out, enum stream_next *next, struct error *err) {
    (void)err;
    struct source *source = ctx;
    atomic_fetch_add(&source->asked, 1);
    if (source->silent)
        return STATUS_OK;
    str_addf(out, "%d\n", source->next++);
    static char padding[LIMIT_STREAM_PENDING_BYTES];
    memset(padding, '.', sizeof padding);
    str_add_bytes(out, padding, source->padding_bytes);
    *next = source->next == source->count ? STREAM_ENDS : source->next_is;
    return STATUS_OK;
}

static void release(void *ctx) {
    atomic_fetch_add(&((struct source *)ctx)->released, 1);
}

/* A connection sleeps on a semaphore. */
static void sleep_on(void *connection) {
    (void)connection; /* stream_take returns, and the reader waits */
}

static void wake(void *connection) {
    sem_post(connection);
}

static const struct stream_sleeper sleeper = {sleep_on, wake};

/* No Redis is there: the pump then only looks now and then. */
static struct pump *new_pump(void) {
    struct redis_address address;
    T_INT(redis_address_parse(&address, "unix:///nonexistent/redis.sock", 100, NULL), STATUS_OK);
    return pump_create(feed_create(&address));
}

static struct stream *open_stream(struct pump *pump, struct source *source, sem_t *connection) {
    struct stream_source from = {.ctx = source,
                                 .topic = "job",
                                 .fill = fill,
                                 .release = release,
                                 .quiet = source->quiet,
                                 .heartbeat_ms = source->heartbeat_ms};
    struct stream *stream = NULL;
    T_INT(stream_open(pump, &from, &stream, NULL), STATUS_OK);
    sem_init(connection, 0, 0);
    stream_attach(stream, &sleeper, connection);
    return stream;
}

static void read_to_end(struct stream *stream, sem_t *connection, struct str *out) {
    char block[3]; /* so small that texts are taken in parts */
    for (;;) {
        ssize_t taken = stream_take(stream, block, sizeof block);
        if (taken == STREAM_ENDED)
            return;
        if (taken == 0)
            sem_wait(connection);
        str_add_bytes(out, block, (size_t)taken);
    }
}

static void says_all_and_ends(void) {
    struct pump *pump = new_pump();
    struct source source = {.count = 3};
    sem_t connection;
    struct str text = STR_INIT;
    struct stream *stream = open_stream(pump, &source, &connection);
    read_to_end(stream, &connection, &text);
    T_STR(str_text(&text), "0\n1\n2\n");
    T_INT(source.released, 0);
    stream_close(stream);
    pump_free(pump);
    T_INT(source.released, 1);
    str_release(&text);
}

/* Takes up to so many bytes, and gives up after 30 s. */
static void read_some(struct stream *stream, char *out, size_t bytes) {
    size_t len = 0;
    for (int tries = 0; tries < 3000 && len < bytes; tries++) {
        ssize_t taken = stream_take(stream, out + len, bytes - len);
        if (taken <= 0)
            clock_sleep_ms(10);
        else
            len += (size_t)taken;
    }
    out[len] = '\0';
}

static void comments_where_nothing_is_said(void) {
    struct pump *pump = new_pump();
    struct source silent = {.silent = true, .heartbeat_ms = 1};
    struct source quiet = {.silent = true, .quiet = true, .heartbeat_ms = 1};
    sem_t connection, quiet_connection;
    char text[16];
    struct stream *quiet_stream = open_stream(pump, &quiet, &quiet_connection);
    struct stream *stream = open_stream(pump, &silent, &connection);
    read_some(stream, text, 9);
    T_STR(text, ":\n\n:\n\n:\n\n");
    T_INT(stream_take(quiet_stream, text, sizeof text), 0);
    stream_close(stream);
    stream_close(quiet_stream);
    pump_free(pump);
}

static void stops_asking_for_a_client_that_does_not_read(void) {
    struct pump *pump = new_pump();
    struct source source = {.count = -1, .padding_bytes = LIMIT_STREAM_PENDING_BYTES};
    sem_t connection;
    struct stream *stream = open_stream(pump, &source, &connection);
    clock_sleep_ms(2500); /* more than two rounds in which a stream is asked without need */
    T_INT(source.asked, 1);
    stream_close(stream);
    pump_free(pump);
    T_INT(source.released, 1);
}

/* Its reader never catches up: what was taken is not kept, or the text would end at 64 MiB. What
 * has more is asked at once, or this would take minutes. */
static void forgets_what_was_taken(void) {
    enum { TEXTS = 1000, TEXT_BYTES = 100 << 10 };
    static char block[16 << 10];
    struct pump *pump = new_pump();
    struct source source = {
        .count = TEXTS, .padding_bytes = TEXT_BYTES, .next_is = STREAM_HAS_MORE};
    sem_t connection;
    struct stream *stream = open_stream(pump, &source, &connection);
    size_t total = 0;
    int64_t begun_ns = clock_mono_ns();
    for (ssize_t taken = 0; taken != STREAM_ENDED; total += taken > 0 ? (size_t)taken : 0) {
        while (source.asked < TEXTS && total + sizeof block > (size_t)source.asked * TEXT_BYTES)
            clock_sleep_ms(1);
        taken = stream_take(stream, block, sizeof block);
        if (taken == 0)
            sem_wait(&connection);
    }
    T_CHECK(total > (size_t)TEXTS * TEXT_BYTES);
    T_CHECK(clock_mono_ns() - begun_ns < 60000000000LL);
    stream_close(stream);
    pump_free(pump);
}

static void stopping_ends_and_refuses(void) {
    struct pump *pump = new_pump();
    struct source source = {.silent = true};
    sem_t connection;
    struct str text = STR_INIT;
    struct stream *stream = open_stream(pump, &source, &connection);
    pump_stop(pump);
    read_to_end(stream, &connection, &text);
    T_CONTAINS(str_text(&text), "stopping");
    struct stream_source from = {.ctx = &source, .fill = fill, .release = release};
    struct stream *refused = NULL;
    T_INT(stream_open(pump, &from, &refused, NULL), STATUS_UNAVAILABLE);
    T_CHECK(!refused);
    stream_close(stream);
    pump_free(pump);
    T_INT(source.released, 1);
    str_release(&text);
}

static void bounds_their_number(void) {
    struct pump *pump = new_pump();
    struct source source = {.silent = true};
    static sem_t connections[LIMIT_STREAMS];
    static struct stream *streams[LIMIT_STREAMS];
    for (int i = 0; i < LIMIT_STREAMS; i++)
        streams[i] = open_stream(pump, &source, &connections[i]);
    struct stream_source from = {.ctx = &source, .fill = fill, .release = release};
    struct stream *one_more = NULL;
    T_INT(stream_open(pump, &from, &one_more, NULL), STATUS_UNAVAILABLE);
    stream_close(streams[7]);
    for (int tries = 0; tries < 100 && !one_more; tries++) {
        clock_sleep_ms(20); /* until the pump has seen that it was closed */
        (void)!stream_open(pump, &from, &one_more, NULL);
    }
    T_CHECK(one_more);
    streams[7] = one_more;
    for (int i = 0; i < LIMIT_STREAMS; i++)
        stream_close(streams[i]);
    pump_free(pump);
    T_INT(source.released, LIMIT_STREAMS + 1);
}

int main(void) {
    T_RUN(says_all_and_ends);
    T_RUN(comments_where_nothing_is_said);
    T_RUN(stops_asking_for_a_client_that_does_not_read);
    T_RUN(forgets_what_was_taken);
    T_RUN(stopping_ends_and_refuses);
    T_RUN(bounds_their_number);
    return t_done();
}
