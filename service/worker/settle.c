#include "service/worker/settle.h"

#include "engine/base/clock.h"
#include "service/common/log.h"
#include "service/common/signals.h"
#include "service/store/folders.h"
#include "service/store/stored_error.h"

enum {
    RETRY_MS = 100,
    LAST_TRIES_MS = 5000 /* Redis has so long to come back when the worker is to end */
};

/* ---- saying it to Redis ---- */

/* Waits a little before Redis is asked again; false when it is time to give up. */
static bool may_try_again(struct run *run, int64_t *stop_ns) {
    if (signals_stop() && *stop_ns == 0)
        *stop_ns = clock_mono_ns() + (int64_t)LAST_TRIES_MS * NS_PER_MS;
    if (*stop_ns && clock_mono_ns() > *stop_ns)
        return false;
    clock_sleep_ms(RETRY_MS);
    return run_look(run, NULL) != VERDICT_GONE;
}

typedef enum status settle_fn(struct run *run, const void *ctx, struct error *err);

/* Repeats while Redis is away: what the run has come to must not be lost. CONFLICT means that
 * someone else has settled it, or that an answer got lost and it was settled here. */
static enum status insist(struct run *run, settle_fn *settle, const void *ctx) {
    struct error err = {0};
    int64_t stop_ns = 0;
    enum status status;
    do
        status = settle(run, ctx, &err);
    while (status == STATUS_UNAVAILABLE && may_try_again(run, &stop_ns));
    if (status)
        log_warn("claim_not_settled", log_text("job", run->claim->job.id), log_error_field(&err));
    return status;
}

/* Whoever sees the end of a job finds all of its points and the last progress. */
static enum status points_published(struct run *run, const void *ctx, struct error *err) {
    struct metric_point waiting;
    (void)ctx;
    if (run_look(run, NULL) == VERDICT_GONE)
        return STATUS_OK;
    if (!outbox_first(&run->outbox, &waiting)) {
        reporter_renew(&run->reporter);
        return STATUS_OK;
    }
    reporter_wake(&run->reporter);
    return error_set(err, STATUS_UNAVAILABLE, "points wait to be published");
}

static enum status finish(struct run *run, const void *ctx, struct error *err) {
    const struct outcome *outcome = ctx;
    return queue_finish(run->pool, run->claim, outcome->model, outcome->reproducible, err);
}

static enum status fail(struct run *run, const void *ctx, struct error *err) {
    return queue_fail(run->pool, run->claim, ctx, err);
}

static enum status release(struct run *run, const void *ctx, struct error *err) {
    enum job_state state;
    (void)ctx;
    enum status status = queue_release(run->pool, run->claim, &state, err);
    if (!status) {
        job_log_add(&run->log, "given back at step %lld, %s now", (long long)run->progress.step,
                    job_state_slug(state));
        log_info("job_released", log_text("job", run->claim->job.id),
                 log_text("state", job_state_slug(state)));
        /* A cancelled job never runs again; its checkpoint is of no use. */
        if (state == JOB_CANCELLED && run->lock_fd >= 0)
            status = folders_remove_job(run->config->data, run->claim->job.id, err);
    }
    return status;
}

/* ---- the ends ---- */

static void log_outcome(struct run *run, const struct outcome *outcome) {
    if (outcome->model[0])
        job_log_add(&run->log, "model %s: top1 %.4f, weights %s", outcome->model, outcome->top1,
                    outcome->weights_sha256);
    else
        job_log_add(&run->log, "predictions are there: top1 %.4f", outcome->top1);
}

static void end_badly(struct run *run, enum status status, const struct error *err) {
    struct job_error error = {
        .code = status, .step = run->progress.step, .attempt = run->claim->job.attempt};
    str_copy(error.field, sizeof error.field, err->field);
    str_copy(error.message, sizeof error.message, err->message);
    stored_error_hide(run->config->data, error.message);
    job_log_add(&run->log, "failed: %s: %s", status_slug(status), error.message);
    log_warn("job_failed", log_text("job", run->claim->job.id),
             log_text("code", status_slug(status)), log_error_field(err));
    if (insist(run, points_published, NULL) == STATUS_OK)
        insist(run, fail, &error);
}

/* A result that is there and cannot be read would come back with every claim. */
static void end_well(struct run *run) {
    struct outcome outcome;
    struct error err = {0};
    const char *id = run->claim->job.id;
    enum status status = run->errand->describe(run, &outcome, &err);
    if (status) {
        log_fail("result_vanished", log_text("job", id), log_error_field(&err));
        end_badly(run, status, &err);
        return;
    }
    log_outcome(run, &outcome);
    status = insist(run, points_published, NULL);
    if (!status)
        status = insist(run, finish, &outcome);
    if (!status)
        status = folders_remove_job(run->config->data, id, &err);
    if (!status)
        log_info("job_succeeded", log_text("job", id), log_text("model", outcome.model),
                 log_double("top1", outcome.top1));
}

static void give_back(struct run *run) {
    if (insist(run, points_published, NULL) == STATUS_OK)
        insist(run, release, NULL);
}

static enum run_end lapse(struct run *run) {
    job_log_add(&run->log, "redis was away for longer than the lease");
    log_warn("lease_lapsed", log_text("job", run->claim->job.id));
    return RUN_LAPSED;
}

enum run_end run_settle(struct run *run, enum status status, const struct error *err) {
    const char *id = run->claim->job.id;
    if (status == STATUS_DEVICE_LOST) {
        job_log_add(&run->log, "the device is lost: %s", err->message);
        log_fail("device_lost", log_text("job", id), log_error_field(err));
        return RUN_BROKEN;
    }
    if (run_look(run, NULL) == VERDICT_GONE) {
        job_log_add(&run->log,
                    "stopped: another attempt has taken over, or the job's time is over");
        return RUN_SETTLED;
    }
    if (status == STATUS_OK)
        end_well(run);
    else if (status == STATUS_CANCELLED && run->verdict == VERDICT_LAPSED && !signals_stop())
        return lapse(run);
    else if (status == STATUS_CANCELLED || status == STATUS_UNAVAILABLE)
        give_back(run);
    else
        end_badly(run, status, err);
    return RUN_SETTLED;
}
