#include "service/http/series.h"

#include "api/codec.h"
#include "engine/base/mem.h"
#include "service/http/accept.h"
#include "service/store/jobs.h"

#include <stdlib.h>

static const char *const form_types[FORM_COUNT] = {"application/json", "text/event-stream",
                                                   "text/csv"};
static const char *const form_names[FORM_COUNT] = {"json", "stream", "csv"};

/* ---- questions ---- */

static void list_forms(const char *const *words, int form_count, const char *begin,
                       struct str *out) {
    str_add(out, begin);
    CHECK(form_count <= FORM_COUNT);
    for (int i = 0; i < form_count; i++)
        str_addf(out, "%s %s", i ? "," : "", words[i]);
}

static enum status refuse_format(struct request *request, const char *format, int form_count,
                                 struct error *err) {
    struct str range = STR_INIT;
    list_forms(form_names, form_count, "one of", &range);
    enum status status = request_refuse(request, "format", format, str_text(&range), err);
    str_release(&range);
    return status;
}

static enum status parse_form(struct request *request, int form_count, enum form *form,
                              struct error *err) {
    const char *format = request_query(request, "format");
    CHECK(form_count <= FORM_COUNT);
    for (int i = 0; format && i < form_count; i++)
        if (str_equal(format, form_names[i])) {
            *form = (enum form)i;
            return STATUS_OK;
        }
    if (format)
        return refuse_format(request, format, form_count, err);
    int best = accept_best(request_header(request, "Accept"), form_types, form_count);
    if (best < 0)
        return error_set(err, STATUS_UNSUPPORTED, "no type of the Accept header is available");
    *form = (enum form)best;
    return STATUS_OK;
}

static const int64_t seq_max = (1LL << 53) - 1; /* what a number of JSON holds exactly */

/* A stream that goes on after a lost connection says where it was; other forms only look at it. */
static enum status parse_since(struct request *request, struct question *question,
                               struct error *err) {
    const char *last = request_header(request, "Last-Event-ID");
    int64_t seen = 0;
    if (last && (!str_parse_i64(last, &seen) || seen < 0 || seen > seq_max))
        return request_refuse(request, "Last-Event-ID", last, "a sequence number", err);
    if (question->form != FORM_STREAM || !last)
        return request_query_int(request, "since", 0, seq_max, &question->since, err);
    question->since = seen;
    return STATUS_OK;
}

enum status question_parse(struct question *question, struct request *request, int form_count,
                           int64_t limit, struct error *err) {
    *question = (struct question){.id = request->arg, .reader = request->holder, .limit = limit};
    enum status status = request_check_query(request, "since limit format", err);
    if (!status)
        status = parse_form(request, form_count, &question->form, err);
    if (!status)
        status = parse_since(request, question, err);
    if (!status)
        status = request_query_int(request, "limit", 1, limit, &question->limit, err);
    return status;
}

enum status question_end(struct reply *reply, int form_count, enum status status) {
    if (status != STATUS_UNSUPPORTED)
        return status;
    struct str types = STR_INIT;
    list_forms(form_types, form_count, "there are", &types);
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

static void add_end(const struct job *job, struct str *out) {
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
        add_end(&job, out);
    }
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
        .ctx = live, .fill = fill, .release = free, .keys = app->keys, .reader = *question->reader};
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
