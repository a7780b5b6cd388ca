/* DELETE /models/{id} and /datasets/{name}: what nothing needs any more. */
#include "service/common/log.h"
#include "service/http/app.h"
#include "service/http/handlers.h"
#include "service/store/aliases.h"
#include "service/store/blobs.h"
#include "service/store/datasets.h"
#include "service/store/guard.h"
#include "service/store/jobs.h"

/* What can be removed, and how. */
struct kind {
    const char *word, *event;
    const char *term; /* what jobs that need it are found by */
    enum status (*check)(const char *data, const char *name, struct error *err);
    enum status (*check_unused)(const char *data, const char *name,
                                struct error *err); /* or NULL */
    enum status (*withdraw)(const char *data, const char *name, char gone[FILE_PATH_BYTES],
                            struct error *err);
};
static const struct kind a_model = {
    "model", "model_removed", "model", models_check, aliases_check_unused, models_withdraw,
};
static const struct kind a_dataset = {
    "data set", "dataset_removed", "dataset", datasets_check, NULL, datasets_withdraw,
};

static enum status check_jobs(const struct kind *kind, struct redis_pool *pool, const char *name,
                              struct error *err) {
    char job[ID_BYTES];
    const struct job_term term = {kind->term, name};
    enum status status = jobs_find_unfinished(pool, &term, job, err);
    if (!status && job[0])
        return error_set(err, STATUS_CONFLICT, "%s %s is needed by job %s, which has not finished",
                         kind->word, name, job);
    return status;
}

static enum status withdraw(const struct kind *kind, struct app *app, const char *name,
                            char gone[FILE_PATH_BYTES], struct error *err) {
    const char *data = app->config->data;
    int guard; /* nobody names it between the checks and the end */
    enum status status = guard_take(&guard, data, err);
    if (!status)
        status = kind->check(data, name, err);
    if (!status && kind->check_unused)
        status = kind->check_unused(data, name, err);
    if (!status)
        status = check_jobs(kind, app->pool, name, err);
    if (!status)
        status = kind->withdraw(data, name, gone, err);
    guard_give(&guard);
    return status;
}

static enum status remove_it(struct request *request, struct reply *reply, const struct kind *kind,
                             struct error *err) {
    char gone[FILE_PATH_BYTES];
    enum status status = withdraw(kind, request->app, request->arg, gone, err);
    if (status)
        return status;
    if (file_remove_all(gone, err)) /* nobody sees it; the next start sweeps it away */
        log_warn("leftover", log_text("path", gone), log_error_field(err));
    log_info(kind->event, log_text("name", request->arg), request_by(request));
    reply->code = HTTP_NO_CONTENT;
    return STATUS_OK;
}

enum status handle_model_remove(struct request *request, struct reply *reply, struct error *err) {
    enum status status = remove_it(request, reply, &a_model, err);
    if (!status)
        model_cache_forget(request->app->models, request->arg);
    return status;
}

enum status handle_dataset_remove(struct request *request, struct reply *reply, struct error *err) {
    enum status status = remove_it(request, reply, &a_dataset, err);
    if (!status && blobs_sweep(request->app->config->data, err))
        log_warn("blobs_not_swept", log_error_field(err)); /* the next start does it */
    return status;
}
