#include "service/http/handlers.h"

#include "api/limits.h"
#include "engine/base/mem.h"
#include "service/http/chore.h"
#include "service/http/series.h"
#include "service/store/jobs.h"

#include <stdlib.h>

/* ---- the curve so far ---- */

/* Where points go, one after the other. */
typedef void (*add_point_fn)(const struct point *point, struct str *out);

/* An answer on its way; what is more than a page is read by a thread of the crew. */
struct curve {
    struct chore chore;       /* first */
    struct question question; /* since moves to the last point that was read */
    add_point_fn add;
    struct str *out; /* the reply's */
    int64_t added;
    bool more;
};

static void add_json(const struct point *point, struct str *out) {
    point_add_json(point, str_json_item(out));
}

/* Reads at most so many points, within the limit. */
static enum status add_page(struct curve *curve, int64_t most, struct error *err) {
    struct question *question = &curve->question;
    int64_t left = question->limit - curve->added;
    struct point_page page = {0};
    enum status status = jobs_points(curve->chore.request->app->pool, question->id, question->since,
                                     (int)(left < most ? left : most), &page, err);
    if (status)
        return status;
    for (int i = 0; i < page.count; i++)
        curve->add(&page.item[i], curve->out);
    curve->added += page.count;
    question->since = page.next;
    curve->more = page.more && page.count > 0 && curve->added < question->limit;
    point_page_release(&page);
    return STATUS_OK;
}

static enum status add_rest(struct chore *chore, struct error *err) {
    struct curve *curve = (struct curve *)chore;
    enum status status = STATUS_OK;
    while (curve->more && !status)
        status = add_page(curve, LIMIT_POINTS_READ, err);
    return status;
}

static enum status end_curve(struct request *request, struct reply *reply, struct error *err) {
    (void)reply;
    const struct curve *curve = request->state;
    enum status status = chore_result(&curve->chore, err);
    if (!status && curve->question.form == FORM_JSON)
        str_addf(curve->out, "],\"next\":%lld}", (long long)curve->question.since);
    return status;
}

static enum status begin_curve(struct request *request, const struct question *question,
                               struct reply *reply, struct error *err) {
    struct curve *curve = xcalloc(1, sizeof *curve);
    bool is_csv = question->form == FORM_CSV;
    curve->chore.request = request;
    curve->question = *question;
    curve->add = is_csv ? point_add_csv : add_json;
    request->state = curve;
    request->release = free;
    curve->out = reply_body(
        reply, HTTP_OK, is_csv ? "text/csv; charset=utf-8; header=present" : "application/json");
    if (is_csv)
        point_add_csv_header(curve->out);
    else
        str_add(curve->out, "{\"points\":[");
    enum status status = add_page(curve, LIMIT_INLINE_POINTS, err);
    if (status || !curve->more)
        return status ? status : end_curve(request, reply, err);
    chore_start(&curve->chore, request, request->app->decoders, add_rest, end_curve);
    return STATUS_OK;
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

static enum status answer(struct request *request, const struct question *question,
                          struct reply *reply, struct error *err) {
    struct app *app = request->app;
    struct job job;
    enum status status = jobs_get(app->pool, question->id, &job, err);
    if (status)
        return status;
    if (question->form == FORM_STREAM)
        return series_stream(app, question, add_live, reply, err);
    return begin_curve(request, question, reply, err);
}

enum status handle_job_metrics(struct request *request, struct reply *reply, struct error *err) {
    struct question question;
    enum status status = question_parse(&question, request, FORM_COUNT, err);
    if (!status)
        status = answer(request, &question, reply, err);
    return question_end(reply, FORM_COUNT, status);
}
