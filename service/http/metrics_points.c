#include "service/http/handlers.h"

#include "api/codec.h"
#include "engine/base/mem.h"
#include "service/http/accept.h"
#include "service/http/app.h"
#include "service/store/jobs.h"

#include <stdlib.h>

enum { HTTP_OK = 200 };

/* In the order of preference; the first is for clients that do not say. */
enum form { FORM_JSON, FORM_CSV, FORM_STREAM, FORM_COUNT };
static const char *const form_types[FORM_COUNT] = {"application/json", "text/csv",
                                                   "text/event-stream"};
static const char *const form_names[FORM_COUNT] = {"json", "csv", "stream"};

/* ---- the curve so far ---- */

/* What a client asks for. */
struct question {
    const char *id;
    enum form form;
    int64_t since, limit;
};

/* Where points go, one after the other. */
typedef void (*add_point_fn)(const struct point *point, int i, struct str *out);

static void add_json(const struct point *point, int i, struct str *out) {
    str_add(out, i ? "," : "");
    point_add_json(point, out);
}

static void add_csv(const struct point *point, int i, struct str *out) {
    (void)i;
    point_add_csv(point, out);
}

/* Reads the points after since, page by page, up to the limit; since moves to the last. */
static enum status add_points(struct app *app, struct question *question, add_point_fn add,
                              struct str *out, struct error *err) {
    int64_t added = 0;
    bool more = true;
    while (more && added < question->limit) {
        int64_t left = question->limit - added;
        int count = (int)(left < POINTS_MAX_LIMIT ? left : POINTS_MAX_LIMIT);
        struct point_page page = {0};
        enum status status =
            jobs_points(app->pool, question->id, question->since, count, &page, err);
        if (status)
            return status;
        for (int i = 0; i < page.count; i++)
            add(&page.item[i], (int)added + i, out);
        added += page.count;
        question->since = page.next;
        more = page.more && page.count > 0;
        point_page_release(&page);
    }
    return STATUS_OK;
}

static enum status reply_points_json(struct app *app, struct question *question,
                                     struct reply *reply, struct error *err) {
    struct str *out = reply_json(reply, HTTP_OK);
    str_add(out, "{\"points\":[");
    enum status status = add_points(app, question, add_json, out, err);
    str_addf(out, "],\"next\":%lld}", (long long)question->since);
    return status;
}

static enum status reply_points_csv(struct app *app, struct question *question, struct reply *reply,
                                    struct error *err) {
    struct str *out = reply_body(reply, HTTP_OK, "text/csv; charset=utf-8; header=present");
    point_add_csv_header(out);
    return add_points(app, question, add_csv, out, err);
}

/* ---- the curve as it grows ---- */

struct live {
    struct app *app;
    char id[ID_BYTES];
    int64_t since;
    bool begun;
};

static void add_end(const struct job *job, struct str *out) {
    str_add(out, "event: end\ndata: ");
    job_add_json(job, out);
    str_add(out, "\n\n");
}

/* The job is read before its points: one that has finished by then has published them all. */
static enum status fill(void *ctx, struct str *out, bool *ended, struct error *err) {
    struct live *live = ctx;
    struct job job;
    struct point_page page = {0};
    if (!live->begun)
        str_add(out, "retry: 2000\n\n");
    live->begun = true;
    enum status status = jobs_get(live->app->pool, live->id, &job, err);
    if (!status)
        status =
            jobs_points(live->app->pool, live->id, live->since, LIMIT_STREAM_POINTS, &page, err);
    if (status) {
        *ended = status == STATUS_NOT_FOUND; /* removed meanwhile */
        return status;
    }
    for (int i = 0; i < page.count; i++) {
        str_addf(out, "id: %lld\nevent: point\ndata: ", (long long)page.item[i].seq);
        point_add_json(&page.item[i], out);
        str_add(out, "\n\n");
    }
    live->since = page.next;
    *ended = job_state_finished(job.state) && !page.more;
    if (*ended)
        add_end(&job, out);
    point_page_release(&page);
    return STATUS_OK;
}

static enum status reply_stream(struct app *app, const struct question *question,
                                struct reply *reply, struct error *err) {
    struct live *live = xcalloc(1, sizeof *live);
    live->app = app;
    live->since = question->since;
    str_copy(live->id, sizeof live->id, question->id);
    struct stream_source source = {.ctx = live, .fill = fill, .release = free};
    str_copy(source.topic, sizeof source.topic, question->id);
    enum status status = stream_open(app->pump, &source, &reply->stream, err);
    if (status) {
        free(live);
        return status;
    }
    reply_body(reply, HTTP_OK, form_types[FORM_STREAM]);
    reply_header(reply, "Cache-Control", "no-store");
    reply_header(reply, "X-Accel-Buffering", "no"); /* proxies that would collect first */
    return STATUS_OK;
}

/* ---- GET /jobs/{id}/metrics ---- */

static enum status parse_form(struct request *request, enum form *form, struct error *err) {
    const char *format = request_query(request, "format");
    for (int i = 0; format && i < FORM_COUNT; i++)
        if (str_equal(format, form_names[i])) {
            *form = (enum form)i;
            return STATUS_OK;
        }
    if (format)
        return request_refuse(request, "format", format, "one of json, csv, stream", err);
    int best = accept_best(request_header(request, "Accept"), form_types, FORM_COUNT);
    if (best < 0)
        return error_set(err, STATUS_UNSUPPORTED, "no type of the Accept header is available");
    *form = (enum form)best;
    return STATUS_OK;
}

/* A stream that goes on after a lost connection says where it was. */
static enum status parse_since(struct request *request, struct question *question,
                               struct error *err) {
    const char *last = request_header(request, "Last-Event-ID");
    if (question->form != FORM_STREAM || !last)
        return request_query_int(request, "since", 0, INT64_MAX, &question->since, err);
    if (!str_parse_i64(last, &question->since) || question->since < 0)
        return request_refuse(request, "Last-Event-ID", last, "a sequence number", err);
    return STATUS_OK;
}

static enum status parse_question(struct request *request, struct question *question,
                                  struct error *err) {
    *question = (struct question){.id = request->arg, .limit = LIMIT_POINTS};
    enum status status = request_check_query(request, "since limit format", err);
    if (!status)
        status = parse_form(request, &question->form, err);
    if (!status)
        status = parse_since(request, question, err);
    if (!status)
        status = request_query_int(request, "limit", 1, LIMIT_POINTS, &question->limit, err);
    return status;
}

static enum status answer(struct app *app, struct question *question, struct reply *reply,
                          struct error *err) {
    struct job job;
    enum status status = jobs_get(app->pool, question->id, &job, err);
    if (status)
        return status;
    if (question->form == FORM_STREAM)
        return reply_stream(app, question, reply, err);
    return question->form == FORM_CSV ? reply_points_csv(app, question, reply, err)
                                      : reply_points_json(app, question, reply, err);
}

void handle_job_metrics(struct request *request, struct reply *reply) {
    struct question question;
    struct error err;
    enum status status = parse_question(request, &question, &err);
    if (status == STATUS_UNSUPPORTED) {
        reply_problem(reply, PROBLEM_NOT_ACCEPTABLE,
                      "there are application/json, text/csv and text/event-stream");
        return;
    }
    if (!status)
        status = answer(request->app, &question, reply, &err);
    if (status)
        request_fail(request, reply, &err, NULL);
}
