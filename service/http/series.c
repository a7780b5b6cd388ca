#include "service/http/series.h"

#include "api/codec.h"
#include "engine/base/mem.h"
#include "service/http/accept.h"
#include "service/store/jobs.h"

#include <stdlib.h>

static const char *const form_types[FORM_COUNT] = {"application/json", "text/event-stream",
                                                   "text/csv"};

/* ---- questions ---- */

static enum status parse_form(struct request *request, int form_count, enum form *form,
                              struct error *err) {
    int best = (int)request_query_value(request, "format");
    if (best < 0)
        best = accept_best(request_header(request, "Accept"), form_types, form_count);
    if (best < 0)
        return error_set(err, STATUS_UNSUPPORTED, "no type of the Accept header is available");
    *form = (enum form)best;
    return STATUS_OK;
}

/* A stream that goes on after a lost connection says where it was; other forms only look at it. */
static enum status parse_since(struct request *request, struct question *question,
                               struct error *err) {
    const char *last = request_header(request, "Last-Event-ID");
    int64_t seen = 0;
    if (last && (!str_parse_i64(last, &seen) || seen < 0 || seen > LIMIT_SEQ))
        return request_refuse(request, "Last-Event-ID", last, "a sequence number", err);
    question->since =
        question->form == FORM_STREAM && last ? seen : request_query_value(request, "since");
    return STATUS_OK;
}

enum status question_parse(struct question *question, struct request *request, int form_count,
                           struct error *err) {
    *question = (struct question){.id = request->arg,
                                  .reader = request->holder,
                                  .limit = request_query_value(request, "limit")};
    enum status status = parse_form(request, form_count, &question->form, err);
    return status ? status : parse_since(request, question, err);
}

enum status question_end(struct reply *reply, int form_count, enum status status) {
    if (status != STATUS_UNSUPPORTED)
        return status;
    struct str types = STR_INIT;
    CHECK(form_count <= FORM_COUNT);
    str_add(&types, "there are");
    for (int i = 0; i < form_count; i++)
        str_addf(&types, "%s %s", i ? "," : "", form_types[i]);
    reply_problem(reply, PROBLEM_NOT_ACCEPTABLE, "%s", str_text(&types));
    str_release(&types);
    return STATUS_OK;
}

/* ---- live ---- */

struct live {
    struct app *app;
    series_read_fn *read;
    char id[ID_BYTES];
    int64_t since;
    bool begun;
};

void series_add_end(const struct job *job, struct str *out) {
    str_add(out, "event: end\ndata: ");
    job_add_json(job, out);
    str_add(out, "\n\n");
}

/* The job is read before its series: one that has finished by then has published all of it. */
static enum status fill(void *ctx, struct str *out, enum stream_next *next, struct error *err) {
    struct live *live = ctx;
    struct job job;
    bool more = false;
    if (!live->begun)
        str_add(out, "retry: 2000\n\n");
    live->begun = true;
    enum status status = jobs_get(live->app->pool, live->id, &job, err);
    if (!status)
        status = live->read(live->app, live->id, &live->since, out, &more, err);
    if (status) {
        *next = status == STATUS_NOT_FOUND ? STREAM_ENDS : STREAM_WAITS; /* removed meanwhile */
        return status;
    }
    if (more) {
        *next = STREAM_HAS_MORE;
    } else if (job_state_finished(job.state)) {
        *next = STREAM_ENDS;
        series_add_end(&job, out);
    }
    return STATUS_OK;
}

enum status series_open(struct app *app, struct stream_source *source, struct reply *reply,
                        struct error *err) {
    source->keys = app->keys;
    enum status status = stream_open(app->pump, source, &reply->stream, err);
    if (status) {
        source->release(source->ctx);
        return status;
    }
    reply_body(reply, HTTP_OK, form_types[FORM_STREAM]);
    reply_header(reply, "Cache-Control", "no-store");
    reply_header(reply, "X-Accel-Buffering", "no"); /* proxies that would collect first */
    return STATUS_OK;
}

enum status series_stream(struct app *app, const struct question *question, series_read_fn *read,
                          struct reply *reply, struct error *err) {
    struct live *live = xcalloc(1, sizeof *live);
    live->app = app;
    live->read = read;
    live->since = question->since;
    str_copy(live->id, sizeof live->id, question->id);
    struct stream_source source = {
        .ctx = live, .fill = fill, .release = free, .reader = *question->reader};
    str_copy(source.topic, sizeof source.topic, question->id);
    return series_open(app, &source, reply, err);
}
