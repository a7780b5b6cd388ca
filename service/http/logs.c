#include "service/http/handlers.h"

#include "engine/base/mem.h"
#include "service/http/series.h"
#include "service/store/job_log.h"
#include "service/store/jobs.h"

#include <stdlib.h>
#include <string.h>

/* ---- the log as it grows ---- */

struct following {
    struct app *app;
    char id[ID_BYTES];
    struct job_log_reader reader;
    struct str first; /* the lines that were there */
};

static void following_free(void *ctx) {
    struct following *following = ctx;
    job_log_reader_close(&following->reader);
    str_release(&following->first);
    free(following);
}

static void add_events(const char *text, struct str *out) {
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        str_add(out, "event: line\ndata: ");
        str_add_bytes(out, text, (size_t)(end - text));
        str_add(out, "\n\n");
    }
}

/* The job is read before its log: what has finished by then has said all. */
static enum status fill(void *ctx, struct str *out, enum stream_next *next, struct error *err) {
    struct following *following = ctx;
    struct job job;
    enum status status = jobs_get(following->app->pool, following->id, &job, err);
    if (status) {
        *next = status == STATUS_NOT_FOUND ? STREAM_ENDS : STREAM_WAITS; /* removed meanwhile */
        return status;
    }
    job_log_read_more(&following->reader, &following->first);
    add_events(str_text(&following->first), out);
    str_clear(&following->first);
    if (job_state_finished(job.state)) {
        *next = STREAM_ENDS;
        series_add_end(&job, out);
    }
    return STATUS_OK;
}

static enum status follow(const struct request *request, const char *id, int64_t tail,
                          struct reply *reply, struct error *err) {
    struct app *app = request->app;
    struct following *following = xcalloc(1, sizeof *following);
    following->app = app;
    str_copy(following->id, sizeof following->id, id);
    enum status status =
        job_log_read(&following->reader, app->config->data, id, tail, &following->first, err);
    if (status) {
        following_free(following);
        return status;
    }
    struct stream_source source = {
        .ctx = following, .fill = fill, .release = following_free, .reader = *request->holder};
    str_copy(source.topic, sizeof source.topic, id);
    return series_open(app, &source, reply, err);
}

/* ---- GET /jobs/{id}/logs ---- */

static enum status reply_tail(struct app *app, const char *id, int64_t tail, struct reply *reply,
                              struct error *err) {
    struct job_log_reader reader;
    struct str *out = reply_body(reply, HTTP_OK, "text/plain; charset=utf-8");
    enum status status = job_log_read(&reader, app->config->data, id, tail, out, err);
    job_log_reader_close(&reader);
    return status;
}

enum status handle_job_logs(struct request *request, struct reply *reply, struct error *err) {
    struct app *app = request->app;
    struct job job;
    int64_t tail = request_query_value(request, "tail");
    bool follows = request_query_value(request, "follow");
    enum status status = jobs_get(app->pool, request->arg, &job, err);
    if (!status)
        status = follows ? follow(request, job.id, tail, reply, err)
                         : reply_tail(app, job.id, tail, reply, err);
    return status;
}
