#include "service/http/handlers.h"

#include "api/limits.h"
#include "service/http/series.h"
#include "service/store/jobs.h"

enum { HTTP_OK = 200 };

/* ---- the curve so far ---- */

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
        int count = (int)(left < LIMIT_POINTS_READ ? left : LIMIT_POINTS_READ);
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

static enum status add_live(struct app *app, const char *id, int64_t *since, struct str *out,
                            bool *more, struct error *err) {
    struct point_page page = {0};
    enum status status = jobs_points(app->pool, id, *since, LIMIT_STREAM_POINTS, &page, err);
    if (status)
        return status;
    for (int i = 0; i < page.count; i++) {
        str_addf(out, "id: %lld\nevent: point\ndata: ", (long long)page.item[i].seq);
        point_add_json(&page.item[i], out);
        str_add(out, "\n\n");
    }
    *since = page.next;
    *more = page.more;
    point_page_release(&page);
    return STATUS_OK;
}

/* ---- GET /jobs/{id}/metrics ---- */

static enum status answer(struct app *app, struct question *question, struct reply *reply,
                          struct error *err) {
    struct job job;
    enum status status = jobs_get(app->pool, question->id, &job, err);
    if (status)
        return status;
    if (question->form == FORM_STREAM)
        return series_stream(app, question, add_live, reply, err);
    return question->form == FORM_CSV ? reply_points_csv(app, question, reply, err)
                                      : reply_points_json(app, question, reply, err);
}

void handle_job_metrics(struct request *request, struct reply *reply) {
    struct question question;
    struct error err;
    enum status status = question_parse(&question, request, FORM_COUNT, LIMIT_POINTS, &err);
    if (!status)
        status = answer(request->app, &question, reply, &err);
    if (status)
        question_fail(request, reply, FORM_COUNT, &err);
}
