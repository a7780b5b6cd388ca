/* GET /jobs/{id}/predictions: what a job has predicted, as a file. */
#include "service/store/predictions.h"
#include "service/http/app.h"
#include "service/http/file_reply.h"
#include "service/http/handlers.h"
#include "service/store/jobs.h"

#include <stdio.h>

static enum status check_job(struct request *request, struct error *err) {
    struct job job;
    enum status status = jobs_get(request->app->pool, request->arg, &job, err);
    if (status)
        return status;
    if (job.spec.method != METHOD_PREDICT)
        return error_set(err, STATUS_NOT_FOUND, "job %s trains and has no predictions", job.id);
    if (job.state != JOB_SUCCEEDED)
        return error_set(err, STATUS_NOT_FOUND, "job %s is %s and has no predictions", job.id,
                         job_state_slug(job.state));
    return STATUS_OK;
}

enum status handle_job_predictions(struct request *request, struct reply *reply,
                                   struct error *err) {
    char path[FILE_PATH_BYTES], tag[ID_BYTES + 16];
    enum predictions_format format =
        (enum predictions_format)request_query_value(request, "format");
    enum status status = check_job(request, err);
    if (!status)
        status = predictions_find(path, request->app->config->data, request->arg, format, err);
    if (!status) {
        const struct predictions_kind *kind = &predictions_kinds[format];
        snprintf(tag, sizeof tag, "%s.%s", request->arg, kind->suffix);
        const struct file_answer file = {path, kind->media_type, tag, request->arg, kind->suffix};
        status = reply_file(request, reply, &file, err);
    }
    return status;
}
