#include "service/store/retention.h"

#include "service/common/log.h"
#include "service/store/checkpoints.h"
#include "service/store/folders.h"
#include "service/store/job_log.h"
#include "service/store/job_reply.h"
#include "service/store/predictions.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>

/* --- files of jobs that are removed --- */

static enum status remove_files(const char *data, const char *id, struct error *err) {
    enum status status = folders_remove_job(data, id, err);
    if (!status)
        status = job_log_remove(data, id, err);
    if (!status)
        status = checkpoints_remove(data, id, err);
    if (!status)
        status = predictions_remove(data, id, err);
    return status;
}

/* gone: a job whose files are no more, or "". Answers with some that may have files. */
static enum status ask_removed(struct redis_pool *pool, const char *gone, struct redisReply **reply,
                               struct error *err) {
    struct redis_args args = {0};
    redis_args_text(&args, gone);
    redis_args_text(&args, "");
    redis_args_int(&args, RETENTION_LOOK);
    return pool_script(pool, &script_removed, &args, reply, err);
}

static enum status clear(struct redis_pool *pool, const char *data, const char *id,
                         struct error *err) {
    struct redisReply *reply = NULL;
    enum status status = remove_files(data, id, err);
    if (!status)
        status = ask_removed(pool, id, &reply, err);
    redis_reply_free(reply);
    return status;
}

/* The first of two failures; without Redis there is no use in going on. */
static bool can_go_on(enum status *status, enum status one) {
    *status = *status ? *status : one;
    return one != STATUS_UNAVAILABLE;
}

/* What a server that was killed meanwhile, or a disk that failed, has left. One that withstands
 * keeps no other. */
static enum status clear_removed(struct redis_pool *pool, const char *data, struct error *err) {
    struct redisReply *reply = NULL;
    enum status status = ask_removed(pool, "", &reply, err);
    if (status)
        return status;
    const struct redisReply *found = reply->element[1];
    bool go_on = true;
    for (size_t i = 0; go_on && i < found->elements; i++)
        go_on = can_go_on(&status, clear(pool, data, found->element[i]->str, status ? NULL : err));
    redis_reply_free(reply);
    return status;
}

enum status retention_remove_job(struct redis_pool *pool, const char *data, const char *id,
                                 struct error *err) {
    struct error clear_err = {0};
    enum status status = jobs_remove(pool, id, err);
    if (!status && clear(pool, data, id, &clear_err))
        log_warn("leftover", log_text("job", id), log_error_field(&clear_err));
    return status;
}

/* --- what has been finished for long --- */

static enum status remove_job(struct retention *retention, const char *id, struct error *err) {
    enum status status = retention_remove_job(retention->pool, retention->data, id, err);
    if (status == STATUS_NOT_FOUND || status == STATUS_CONFLICT)
        return STATUS_OK; /* another server was quicker, or a user wants it again */
    if (!status) {
        retention->jobs++;
        log_info("job_expired", log_text("job", id));
    }
    return status;
}

static enum status remove_checkpoints(struct retention *retention, const char *id,
                                      struct error *err) {
    char folder[FILE_PATH_BYTES];
    enum status status = checkpoints_folder(folder, retention->data, id, err);
    if (status || !file_is_dir(folder))
        return status;
    status = checkpoints_remove(retention->data, id, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK; /* another server does the same */
    if (!status) {
        retention->checkpoints++;
        log_info("checkpoints_expired", log_text("job", id));
    }
    return status;
}

static enum status judge(struct retention *retention, const char *id, int64_t age_ms,
                         struct error *err) {
    if (retention->keep_jobs_ms && age_ms >= retention->keep_jobs_ms)
        return remove_job(retention, id, err);
    if (retention->keep_checkpoints_ms && age_ms >= retention->keep_checkpoints_ms)
        return remove_checkpoints(retention, id, err);
    return STATUS_OK;
}

/* The shorter of the two times that are set. */
static int64_t least_age_ms(const struct retention *retention) {
    int64_t jobs = retention->keep_jobs_ms, checkpoints = retention->keep_checkpoints_ms;
    if (!jobs || !checkpoints)
        return jobs + checkpoints;
    return jobs < checkpoints ? jobs : checkpoints;
}

/* Where the next step looks. */
static void go_on(struct retention *retention, const char *after) {
    enum { FINAL_STATES = 3 };
    str_copy(retention->after, sizeof retention->after, after);
    if (!after[0])
        retention->state = (retention->state + 1) % FINAL_STATES;
}

static enum status judge_some(struct retention *retention, struct error *err) {
    static const enum job_state finals[] = {JOB_SUCCEEDED, JOB_FAILED, JOB_CANCELLED};
    struct redis_args args = {0};
    struct redisReply *reply = NULL;
    redis_args_text(&args, "");
    redis_args_text(&args, "");
    redis_args_text(&args, job_state_slug(finals[retention->state]));
    redis_args_text(&args, retention->after);
    redis_args_int(&args, RETENTION_LOOK);
    redis_args_int(&args, least_age_ms(retention));
    enum status status = pool_script(retention->pool, &script_old, &args, &reply, err);
    if (status)
        return status;
    const struct redisReply *found = reply->element[2];
    bool can = true;
    for (size_t i = 0; can && i < found->elements; i++)
        can = can_go_on(&status, judge(retention, found->element[i]->element[0]->str,
                                       strtoll(found->element[i]->element[1]->str, NULL, 10),
                                       status ? NULL : err));
    go_on(retention, reply->element[1]->str);
    redis_reply_free(reply);
    return status;
}

enum status retention_step(struct retention *retention, struct error *err) {
    struct error judge_err;
    enum status cleared = clear_removed(retention->pool, retention->data, err);
    if (!least_age_ms(retention))
        return cleared;
    enum status judged = judge_some(retention, cleared ? &judge_err : err);
    return cleared ? cleared : judged;
}
