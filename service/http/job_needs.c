#include "service/http/job_needs.h"

#include "api/ids.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "service/http/app.h"
#include "service/store/aliases.h"
#include "service/store/jobs.h"

#include <stdlib.h>

static bool depends_on(const struct train_spec *spec, const char *id) {
    for (int i = 0; i < spec->depends_on.count; i++)
        if (str_equal(spec->depends_on.item[i], id))
            return true;
    return false;
}

static enum status depend(struct train_spec *spec, const char *id, struct error *err) {
    if (depends_on(spec, id))
        return STATUS_OK;
    return field_append_string(field_find(&train_spec_table, "depends_on"), spec, id, err);
}

/* The job is to make the model that a field means. */
static enum status expect(struct train_spec *spec, const struct job *job, const char *field,
                          struct train_spec **made_by, struct error *err) {
    if (job->spec.method == METHOD_PREDICT)
        return error_set_field(err, STATUS_INVALID, field, "job %s predicts and makes no model",
                               job->id);
    if (job->state == JOB_SUCCEEDED)
        return STATUS_OK;
    if (job_state_finished(job->state))
        return error_set_field(err, STATUS_INVALID, field, "job %s is %s and makes no model",
                               job->id, job_state_slug(job->state));
    *made_by = xcalloc(1, sizeof **made_by);
    **made_by = job->spec;
    return depend(spec, job->id, err);
}

static enum status resolve_alias(const char *data, char name[SPEC_TEXT_BYTES], struct error *err) {
    char id[ID_BYTES];
    const char *meant;
    enum status status = aliases_resolve(data, name, id, &meant, err);
    if (!status && meant == id)
        str_copy(name, SPEC_TEXT_BYTES, id);
    return status;
}

static enum status resolve(struct train_spec *spec, const struct app *app, const char *field,
                           char id[SPEC_TEXT_BYTES], struct train_spec **made_by,
                           struct error *err) {
    struct job job;
    if (!id_is_valid(id, ID_PREFIX_JOB))
        return resolve_alias(app->config->data, id, err);
    enum status status = jobs_get(app->pool, id, &job, err);
    if (status == STATUS_NOT_FOUND)
        return error_set_field(err, STATUS_INVALID, field, "there is no job %s", id);
    if (!status)
        status = expect(spec, &job, field, made_by, err);
    if (!status) {
        char model[ID_BYTES];
        model_id_of_job(model, job.id);
        str_copy(id, SPEC_TEXT_BYTES, model);
    }
    return status;
}

static enum status check_dependencies(const struct train_spec *spec, struct error *err) {
    for (int i = 0; i < spec->depends_on.count; i++)
        if (!id_is_valid(spec->depends_on.item[i], ID_PREFIX_JOB))
            return error_set_field(err, STATUS_INVALID, "depends_on",
                                   "depends_on must be ids of jobs, not \"%s\"",
                                   spec->depends_on.item[i]);
    return STATUS_OK;
}

static enum status check_deadline(const struct train_spec *spec, struct error *err) {
    int64_t ms;
    if (!spec->deadline[0])
        return STATUS_OK;
    if (!clock_parse(spec->deadline, &ms))
        return error_set_field(err, STATUS_INVALID, "deadline",
                               "deadline must be a time as in RFC 3339, not \"%s\"",
                               spec->deadline);
    if (ms <= clock_wall_ms())
        return error_set_field(err, STATUS_INVALID, "deadline", "the deadline %s has passed",
                               spec->deadline);
    return STATUS_OK;
}

enum status job_needs_resolve(struct job_needs *needs, const struct app *app,
                              struct train_spec *spec, struct error *err) {
    *needs = (struct job_needs){0};
    enum status status = check_dependencies(spec, err);
    if (!status)
        status = check_deadline(spec, err);
    if (!status)
        status = resolve(spec, app, "teacher", spec->teacher, &needs->teacher, err);
    if (!status)
        status = resolve(spec, app, "init", spec->init, &needs->init, err);
    if (!status)
        status = resolve(spec, app, "model", spec->model, &needs->model, err);
    return status;
}

void job_needs_release(struct job_needs *needs) {
    free(needs->teacher);
    free(needs->init);
    free(needs->model);
    *needs = (struct job_needs){0};
}
