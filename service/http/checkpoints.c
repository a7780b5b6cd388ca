#include "service/http/handlers.h"

#include "service/http/app.h"
#include "service/http/file_reply.h"
#include "service/http/page.h"
#include "service/store/checkpoints.h"
#include "service/store/jobs.h"

enum status handle_job_checkpoints(struct request *request, struct reply *reply,
                                   struct error *err) {
    struct checkpoint_list list;
    struct job job;
    enum status status = jobs_get(request->app->pool, request->arg, &job, err);
    if (!status)
        status = checkpoints_list(&list, request->app->config->data, job.id, err);
    if (status)
        return status;
    struct str *out = page_begin(reply);
    for (int i = 0; i < list.count; i++)
        checkpoint_card_add_json(&list.item[i], str_json_item(out));
    page_end(out, "");
    return STATUS_OK;
}

enum status handle_checkpoint_weights(struct request *request, struct reply *reply,
                                      struct error *err) {
    char path[FILE_PATH_BYTES];
    enum status status = checkpoint_find(path, request->app->config->data, request->arg, err);
    const struct file_answer file = {path, "application/octet-stream", request->arg, request->arg,
                                     "safetensors"};
    if (!status)
        status = reply_file(request, reply, &file, err);
    return status;
}
