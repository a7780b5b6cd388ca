#include "service/http/handlers.h"

#include "service/http/app.h"
#include "service/http/page.h"
#include "service/store/checkpoints.h"
#include "service/store/jobs.h"

#include <errno.h>
#include <fcntl.h>

enum { HTTP_OK = 200 };

void handle_job_checkpoints(struct request *request, struct reply *reply) {
    struct checkpoint_list list;
    struct job job;
    struct error err;
    enum status status = request_check_query(request, "", &err);
    if (!status)
        status = jobs_get(request->app->pool, request->arg, &job, &err);
    if (!status)
        status = checkpoints_list(&list, request->app->config->data, job.id, &err);
    if (status) {
        request_fail(request, reply, &err, NULL);
        return;
    }
    struct str *out = reply_json(reply, HTTP_OK);
    page_begin(out);
    for (int i = 0; i < list.count; i++) {
        page_separate(out, i);
        checkpoint_card_add_json(&list.item[i], out);
    }
    page_end(out, "");
}

static enum status open_weights(const char *path, struct reply *reply, struct error *err) {
    int64_t bytes = file_size(path);
    reply->file = open(path, O_RDONLY | O_CLOEXEC);
    if (reply->file < 0 || bytes < 0)
        return error_set_errno(err, errno, "opening %s", path);
    reply->file_bytes = (uint64_t)bytes;
    return STATUS_OK;
}

void handle_checkpoint_weights(struct request *request, struct reply *reply) {
    char path[FILE_PATH_BYTES];
    struct error err;
    enum status status = request_check_query(request, "", &err);
    if (!status)
        status = checkpoint_find(path, request->app->config->data, request->arg, &err);
    if (!status)
        status = open_weights(path, reply, &err);
    if (status) {
        request_fail(request, reply, &err, NULL);
        return;
    }
    reply_body(reply, HTTP_OK, "application/octet-stream");
    reply_header(reply, "Content-Disposition", "attachment; filename=\"%s.safetensors\"",
                 request->arg);
}
