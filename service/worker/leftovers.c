#include "service/worker/leftovers.h"

#include "service/common/log.h"
#include "service/store/folders.h"
#include "service/store/jobs.h"

struct search {
    const char *data;
    struct redis_pool *pool;
};

static enum status remove_finished(const struct search *search, const char *id, struct error *err) {
    struct job job = {.state = JOB_ABSENT};
    enum status status = jobs_get(search->pool, id, &job, err);
    bool is_over = job.state == JOB_SUCCEEDED || job.state == JOB_CANCELLED;
    if (status == STATUS_NOT_FOUND || (!status && !is_over))
        return STATUS_OK;
    if (!status)
        status = folders_remove_job(search->data, id, err);
    if (!status)
        log_info("leftover_removed", log_text("job", id));
    return status;
}

/* One that withstands keeps no other; without Redis there is no use in going on. */
static enum status try_to_remove(void *ctx, const char *id, struct error *err) {
    struct error why;
    enum status status = remove_finished(ctx, id, &why);
    if (status == STATUS_UNAVAILABLE)
        return error_set(err, status, "%s", why.message);
    if (status)
        log_warn("leftover_stays", log_text("job", id), log_error_field(&why));
    return STATUS_OK;
}

void leftovers_remove(const char *data, struct redis_pool *pool) {
    char folder[FILE_PATH_BYTES];
    struct error err;
    struct search search = {data, pool};
    enum status status = folder_path(folder, data, "jobs", NULL, &err);
    if (!status)
        status = folder_each(folder, false, try_to_remove, &search, &err);
    if (status)
        log_warn("leftovers_stay", log_error_field(&err));
}
