/*
 * series.h - what a job's streams hold (points, events), asked for by number: as JSON, as CSV,
 * live.
 *
 * ?since= and ?limit= or, for a stream, Last-Event-ID say which; ?format= or the Accept header how.
 *
 * Ownership: a question borrows from its request.
 * Errors:    INVALID with the parameter; UNSUPPORTED when no form is acceptable (406).
 * Threads:   any; a live source is read by the pump's.
 */
#ifndef SERVICE_HTTP_SERIES_H
#define SERVICE_HTTP_SERIES_H

#include "service/http/app.h"
#include "service/http/request.h"

/* In the order of preference, and of the words of `format`; the first is for clients that do not
 * say. */
enum form { FORM_JSON, FORM_STREAM, FORM_CSV, FORM_COUNT };

/* What a client asks for. */
struct question {
    const char *id;
    const struct key_holder *reader;
    enum form form;
    int64_t since, limit;
};

/* Reads a request for one of the first form_count forms. */
MUST_CHECK enum status question_parse(struct question *question, struct request *request,
                                      int form_count, struct error *err);

/* Ends a handler of these forms: UNSUPPORTED becomes 406 in words, any other status is returned. */
MUST_CHECK enum status question_end(struct reply *reply, int form_count, enum status status);

/* Appends server-sent events for some items after *since, moves it, and says whether more follow.
 */
typedef enum status series_read_fn(struct app *app, const char *id, int64_t *since, struct str *out,
                                   bool *more, struct error *err);

/* Replies with a stream of all items after since, whose last event is `end` with the job. */
MUST_CHECK enum status series_stream(struct app *app, const struct question *question,
                                     series_read_fn *read, struct reply *reply, struct error *err);

/* Replies with a stream of a source whose ctx, fill, release, topic and reader are set; it owns ctx
 * also when that fails. */
MUST_CHECK enum status series_open(struct app *app, struct stream_source *source,
                                   struct reply *reply, struct error *err);

/* Appends that last event. */
void series_add_end(const struct job *job, struct str *out);

#endif
