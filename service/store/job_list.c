#include "api/limits.h"
#include "service/store/job_index.h"

#include "engine/base/mem.h"
#include "service/store/job_reply.h"
#include "service/store/jobs.h"
#include "service/store/models.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>
#include <string.h>

/* ---- indexes of a job ---- */

static void add_index(const char *field, const char *value, struct str *out) {
    struct str name = STR_INIT;
    if (!value[0])
        return;
    str_addf(&name, "by:%s:%s", field, value);
    str_add_json(str_json_item(out), str_text(&name));
    str_release(&name);
}

static void add_tags(const struct text_list *tags, struct str *out) {
    for (int i = 0; i < tags->count; i++)
        add_index("tag", tags->item[i], out);
}

void tag_indexes_add_json(const struct text_list *tags, struct str *out) {
    str_add(out, "[");
    add_tags(tags, out);
    str_add(out, "]");
}

void job_indexes_add_json(const struct job *job, struct str *out) {
    const struct train_spec *spec = &job->spec;
    char model[ID_BYTES] = ""; /* that it makes */
    struct str method = STR_INIT;
    if (spec->method != METHOD_PREDICT)
        model_id_of_job(model, job->id);
    field_add_text(field_find(&train_spec_table, "method"), spec, &method);
    str_add(out, "[");
    add_index("method", str_text(&method), out);
    add_index("student", spec->student, out);
    add_index("dataset", spec->dataset, out);
    add_index("teacher", spec->teacher, out);
    add_index("model", model, out);
    add_index("model", spec->teacher, out);
    add_index("model", spec->init, out);
    add_index("owner", job->owner, out);
    add_index("model", spec->model, out);
    add_tags(&spec->tags, out);
    str_add(out, "]");
    str_release(&method);
}

/* ---- pages ---- */

/* A record that cannot be read (of a newer version, say) does not hide the others. */
static void fill_page(struct job_page *page, const struct redisReply *reply) {
    const struct redisReply *jobs = reply->element[1];
    page->item = xcalloc(jobs->elements + 1, sizeof *page->item);
    for (size_t i = 0; i < jobs->elements; i++)
        if (job_from_reply(&page->item[page->count], jobs->element[i], NULL) == STATUS_OK)
            page->count++;
    str_copy(page->next, sizeof page->next, reply->element[2]->str);
}

/* The names of the indexes to read, which the caller releases. */
static int name_indexes(const struct job_filter *filter, struct str names[JOB_TERMS_MAX + 1]) {
    int count = 0;
    if (filter->state != JOB_ABSENT)
        str_addf(&names[count++], "state:%s", job_state_slug(filter->state));
    for (int i = 0; i < filter->count; i++)
        str_addf(&names[count++], "by:%s:%s", filter->term[i].field, filter->term[i].value);
    if (count == 0)
        str_add(&names[count++], "jobs");
    return count;
}

enum status jobs_list(struct redis_pool *pool, const struct job_filter *filter, const char *after,
                      int limit, struct job_page *page, struct error *err) {
    struct str cursor = STR_INIT, names[JOB_TERMS_MAX + 1] = {STR_INIT};
    struct job_call call;
    struct redisReply *reply;
    memset(page, 0, sizeof *page);
    str_addf(&cursor, "%s%s", after && after[0] ? "(" : "+", after ? after : "");
    job_call_begin(&call, "", 0);
    redis_args_text(&call.args, str_text(&cursor));
    redis_args_int(&call.args, limit);
    redis_args_int(&call.args, LIMIT_JOBS_LOOKED_AT);
    int count = name_indexes(filter, names);
    for (int i = 0; i < count; i++)
        redis_args_text(&call.args, str_text(&names[i]));
    enum status status = job_call_run(&call, pool, &script_list, &reply, err);
    for (int i = 0; i < count; i++)
        str_release(&names[i]);
    str_release(&cursor);
    if (status)
        return status;
    fill_page(page, reply);
    redis_reply_free(reply);
    return STATUS_OK;
}

void job_page_release(struct job_page *page) {
    free(page->item);
    memset(page, 0, sizeof *page);
}

enum status jobs_find_unfinished(struct redis_pool *pool, const struct job_term *term,
                                 char id[ID_BYTES], struct error *err) {
    struct job_call call;
    struct redisReply *reply;
    struct str name = STR_INIT;
    str_addf(&name, "by:%s:%s", term->field, term->value);
    job_call_begin(&call, "", 0);
    redis_args_text(&call.args, str_text(&name));
    for (int state = 0; state < JOB_STATE_COUNT; state++)
        if (!job_state_finished((enum job_state)state))
            redis_args_text(&call.args, job_state_slug((enum job_state)state));
    enum status status = job_call_run(&call, pool, &script_unfinished, &reply, err);
    str_release(&name);
    if (status)
        return status;
    str_copy(id, ID_BYTES, reply->element[1]->str);
    redis_reply_free(reply);
    return STATUS_OK;
}
