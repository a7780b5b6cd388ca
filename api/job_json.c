/* Jobs and their errors as JSON. */
#include "api/codec.h"

#include "api/json_internal.h"
#include "engine/base/clock.h"

#include <string.h>

enum { FORESEEABLE_S = 1000 * 1000 * 1000 }; /* what is further off is no estimate */

static void add_texts(const struct text_list *texts, struct str *out) {
    str_add(out, "[");
    for (int i = 0; i < texts->count; i++)
        str_add_json(str_json_item(out), texts->item[i]);
    str_add(out, "]");
}

static void add_time(struct str *out, const char *key, int64_t time_ms) {
    char text[CLOCK_TEXT_BYTES] = "";
    if (time_ms > 0)
        clock_format(time_ms, text);
    json_add_text(out, key, text);
}

static void add_point(struct str *out, const char *key, const struct point *point) {
    str_json_key(out, key);
    if (point->seq)
        point_add_json(point, out);
    else
        str_add(out, "null");
}

static void add_metrics(struct str *out, const struct job *job) {
    str_add(str_json_key(out, "metrics"), "{");
    add_point(out, "train", &job->train);
    add_point(out, "eval", &job->eval);
    add_point(out, "best", &job->best);
    str_add(out, "}");
}

/* Only a running job has a phase; the stored one is that of the last word from its worker. */
static void add_progress(struct str *out, const struct job *job) {
    struct job_progress progress = job->progress;
    if (job->state != JOB_RUNNING)
        progress.phase[0] = '\0';
    fields_add_json(&job_progress_table, &progress, 0, str_json_key(out, "progress"));
}

/* When a running job will have ended, if it goes on as it did; 0: nobody can tell. */
static int64_t estimated_finish_ms(const struct job *job) {
    double remaining_s = job->progress.remaining_s;
    bool known = job->state == JOB_RUNNING && remaining_s >= 0 && remaining_s < FORESEEABLE_S;
    return known ? job->updated_ms + (int64_t)(remaining_s * 1000) : 0;
}

void job_add_json(const struct job *job, struct str *out) {
    bool wished = job->requested != JOB_REQUEST_NONE;
    str_add(out, "{");
    json_add_text(out, "id", job->id);
    json_add_text(out, "state", job_state_slug(job->state));
    json_add_text(out, "requested", wished ? job_request_slug(job->requested) : "");
    train_spec_add_json(&job->spec, str_json_key(out, "spec"));
    add_texts(&job->waits_for, str_json_key(out, "waits_for"));
    str_addf(str_json_key(out, "attempt"), "%lld", (long long)job->attempt);
    json_add_text(out, "worker", job->worker);
    add_progress(out, job);
    add_metrics(out, job);
    json_add_text(out, "model", job->model);
    json_add_text(out, "rerun_of", job->rerun_of);
    json_add_text(out, "owner", job->owner);
    str_add(str_json_key(out, "reproducible"), job->reproducible ? "true" : "false");
    job_error_add_json(&job->error, str_json_key(out, "error"));
    add_time(out, "created", job->created_ms);
    add_time(out, "started", job->started_ms);
    add_time(out, "finished", job->finished_ms);
    add_time(out, "estimated_finish", estimated_finish_ms(job));
    add_time(out, "updated", job->updated_ms);
    str_add(out, "}");
}

/* ---- errors ---- */

void job_error_add_json(const struct job_error *error, struct str *out) {
    if (error->code == STATUS_OK) {
        str_add(out, "null");
        return;
    }
    str_add(out, "{");
    json_add_text(out, "code", status_slug(error->code));
    json_add_text(out, "message", error->message);
    json_add_text(out, "field", error->field);
    str_json_key(out, "step");
    if (error->step < 0)
        str_add(out, "null");
    else
        str_addf(out, "%lld", (long long)error->step);
    str_addf(str_json_key(out, "attempt"), "%lld}", (long long)error->attempt);
}

static bool parse_status(const char *slug, enum status *status) {
    for (int i = 0; i < STATUS_COUNT; i++)
        if (str_equal(status_slug((enum status)i), slug)) {
            *status = (enum status)i;
            return true;
        }
    return false;
}

static void copy_string(const json_t *root, const char *key, char *out, size_t out_bytes) {
    const char *text = json_string_value(json_object_get(root, key));
    str_copy(out, out_bytes, text ? text : "");
}

enum status job_error_decode(struct job_error *error, const char *text, size_t len,
                             struct error *err) {
    json_t *root = NULL;
    memset(error, 0, sizeof *error);
    if (len == 0 || (len == 4 && memcmp(text, "null", 4) == 0))
        return STATUS_OK;
    enum status status = json_read(&root, text, len, err);
    if (status)
        return json_corrupt("job error", err);
    const json_t *step = json_object_get(root, "step");
    const char *code = json_string_value(json_object_get(root, "code"));
    if (!code || !parse_status(code, &error->code))
        status = error_set(err, STATUS_CORRUPT, "stored job error: unknown code");
    copy_string(root, "message", error->message, sizeof error->message);
    copy_string(root, "field", error->field, sizeof error->field);
    error->step = json_is_integer(step) ? json_integer_value(step) : -1;
    error->attempt = json_integer_value(json_object_get(root, "attempt"));
    json_decref(root);
    return status;
}
