#include "service/http/handlers.h"

#include "api/limits.h"
#include "service/http/series.h"
#include "service/store/jobs.h"

enum { FORMS = FORM_STREAM + 1 };

static enum status reply_events(struct app *app, const struct question *question,
                                struct reply *reply, struct error *err) {
    struct event_page page = {0};
    enum status status =
        jobs_events(app->pool, question->id, question->since, (int)question->limit, &page, err);
    if (status)
        return status;
    struct str *out = reply_json(reply, HTTP_OK);
    str_add(out, "{\"events\":[");
    for (int i = 0; i < page.count; i++)
        event_add_json(&page.item[i], str_json_item(out));
    str_addf(out, "],\"next\":%lld}", (long long)page.next);
    event_page_release(&page);
    return STATUS_OK;
}

static enum status add_live(struct app *app, const char *id, int64_t *since, struct str *out,
                            bool *more, struct error *err) {
    struct event_page page = {0};
    enum status status = jobs_events(app->pool, id, *since, LIMIT_EVENTS, &page, err);
    if (status)
        return status;
    for (int i = 0; i < page.count; i++) {
        str_addf(out, "id: %lld\nevent: event\ndata: ", (long long)page.item[i].seq);
        event_add_json(&page.item[i], out);
        str_add(out, "\n\n");
    }
    *since = page.next;
    *more = page.more;
    event_page_release(&page);
    return STATUS_OK;
}

static enum status answer(struct app *app, const struct question *question, struct reply *reply,
                          struct error *err) {
    struct job job;
    enum status status = jobs_get(app->pool, question->id, &job, err);
    if (status)
        return status;
    return question->form == FORM_STREAM ? series_stream(app, question, add_live, reply, err)
                                         : reply_events(app, question, reply, err);
}

enum status handle_job_events(struct request *request, struct reply *reply, struct error *err) {
    struct question question;
    enum status status = question_parse(&question, request, FORMS, err);
    if (!status)
        status = answer(request->app, &question, reply, err);
    return question_end(reply, FORMS, status);
}
