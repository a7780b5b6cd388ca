#include "service/http/handlers.h"

#include "api/codec.h"
#include "api/ids.h"
#include "service/http/app.h"
#include "service/http/page.h"
#include "service/store/jobs.h"

/* Parameters of the list, and the field whose values each may have. */
static const struct {
    const char *name;
    const struct field_table *table;
    const char *field;
} terms[JOB_TERMS_MAX] = {
    {"method", &train_spec_table, "method"},   {"student", &train_spec_table, "student"},
    {"dataset", &train_spec_table, "dataset"}, {"teacher", &train_spec_table, "teacher"},
    {"model", &train_spec_table, "teacher"},   {"tag", &train_spec_table, "tags"},
    {"owner", &key_request_table, "name"},
};

/* A value that no job can have is a mistake, not an empty list. */
static enum status check_term(struct request *request, int i, const char *value,
                              struct error *err) {
    union {
        struct train_spec spec;
        struct key_request key;
    } any = {0};
    struct str range = STR_INIT;
    const struct field *field = field_find(terms[i].table, terms[i].field);
    enum status status = field->type == FIELD_TEXTS ? field_append_string(field, &any, value, NULL)
                                                    : field_set_string(field, &any, value, NULL);
    if (!status && value[0])
        return STATUS_OK;
    field_add_range(field, &range);
    status = request_refuse(request, terms[i].name, value, str_text(&range), err);
    str_release(&range);
    return status;
}

static enum status parse_filter(struct request *request, struct job_filter *filter,
                                struct error *err) {
    enum status status = STATUS_OK;
    *filter = (struct job_filter){.state = (enum job_state)request_query_value(request, "state")};
    for (int i = 0; !status && i < JOB_TERMS_MAX; i++) {
        const char *value = request_query(request, terms[i].name);
        if (!value)
            continue;
        filter->term[filter->count++] = (struct job_term){terms[i].name, value};
        status = check_term(request, i, value, err);
    }
    return status;
}

enum status handle_job_list(struct request *request, struct reply *reply, struct error *err) {
    struct page page;
    struct job_filter filter;
    struct job_page jobs = {0};
    enum status status = page_parse(&page, request, ID_PREFIX_JOB, err);
    if (!status)
        status = parse_filter(request, &filter, err);
    if (!status)
        status = jobs_list(request->app->pool, &filter, page.after, page.limit, &jobs, err);
    if (status)
        return status;
    struct str *out = page_begin(reply);
    for (int i = 0; i < jobs.count; i++)
        job_add_json(&jobs.item[i], str_json_item(out));
    page_end(out, jobs.next);
    job_page_release(&jobs);
    return STATUS_OK;
}
