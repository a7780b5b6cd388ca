#include "service/worker/run.h"

#include "engine/base/clock.h"
#include "engine/base/parallel.h"
#include "service/common/log.h"
#include "service/common/signals.h"
#include "service/store/checkpoints.h"
#include "service/store/datasets.h"
#include "service/store/folders.h"
#include "service/store/models.h"
#include "service/worker/card.h"
#include "service/worker/lock.h"
#include "service/worker/settle.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    POLL_MS = 50,
    HANG_MS = 5 * 60 * 1000 /* longer than any step or preparation takes between two ticks */
};

/* ---- callbacks of the trainer ---- */

/* The first step that this attempt trains on. */
static void tell_start(struct run *run, const struct train_progress *progress) {
    if (run->told_start || strcmp(progress->phase, "training") != 0)
        return;
    run->told_start = true;
    job_log_add(&run->log, "training from step %lld of %lld", (long long)progress->step,
                (long long)progress->steps);
}

static enum train_wish on_tick(void *ctx, const struct train_progress *progress) {
    static const enum train_wish wishes[] = {
        [VERDICT_GO] = TRAIN_CONTINUE,  [VERDICT_CANCEL] = TRAIN_ABANDON,
        [VERDICT_PAUSE] = TRAIN_STOP,   [VERDICT_LAPSED] = TRAIN_STOP,
        [VERDICT_GONE] = TRAIN_ABANDON,
    };
    struct run *run = ctx;
    if (strcmp(progress->phase, "saving") == 0)
        outbox_sync(&run->outbox);
    tell_start(run, progress);
    run->progress = *progress;
    enum verdict verdict = run_look(run, progress);
    return verdict == VERDICT_GO && signals_stop() ? TRAIN_STOP : wishes[verdict];
}

/* What Redis knows already need not be sent again; the store would drop it in any case. */
enum status run_point(struct run *run, const struct metric_point *point, struct error *err) {
    const struct claim *claim = run->claim;
    int64_t published =
        point->phase == METRIC_EVAL ? claim->published_eval_step : claim->published_train_step;
    if (point->phase == METRIC_EVAL)
        job_log_add(&run->log, "epoch %lld: loss %.5g, top1 %.4f, top5 %.4f",
                    (long long)point->epoch, point->loss, point->top1, point->top5);
    if (point->step <= published)
        return STATUS_OK;
    enum status status = outbox_add(&run->outbox, point, err);
    reporter_wake(&run->reporter);
    return status;
}

static enum status on_point(void *ctx, const struct metric_point *point, struct error *err) {
    return run_point(ctx, point, err);
}

static void on_checkpoint(void *ctx, int64_t step) {
    struct run *run = ctx;
    struct error err = {0};
    const struct job *job = &run->claim->job;
    reporter_checkpoint(&run->reporter, step);
    if (job->spec.keep_checkpoints &&
        checkpoints_prune(run->config->data, job->id, job->spec.keep_checkpoints, &err))
        log_warn("checkpoints_not_pruned", log_text("job", job->id), log_error_field(&err));
    job_log_add(&run->log, "checkpoint at step %lld", (long long)step);
    log_debug("checkpoint", log_text("job", run->claim->job.id), log_int("step", step));
}

/* ---- places ---- */

static enum status find_dataset(struct run *run, struct error *err) {
    struct dataset_entry entry;
    enum status status =
        datasets_find(&entry, run->config->data, run->claim->job.spec.dataset, err);
    if (status) {
        if (err)
            str_copy(err->field, sizeof err->field, "dataset");
        return status;
    }
    str_copy(run->dataset, sizeof run->dataset, entry.folder);
    dataset_entry_release(&entry);
    return STATUS_OK;
}

static enum status find_model(struct run *run, const char *field, const char *id,
                              char out[FILE_PATH_BYTES], struct error *err) {
    struct model model;
    char job_id[ID_BYTES];
    int64_t step;
    if (!id[0])
        return STATUS_OK;
    if (checkpoint_id_parse(id, job_id, &step))
        return checkpoint_find(out, run->config->data, id, err);
    enum status status = models_find(&model, run->config->data, id, err);
    if (status) {
        if (err)
            str_copy(err->field, sizeof err->field, field);
        return status;
    }
    str_copy(out, FILE_PATH_BYTES, model.folder);
    model_release(&model);
    return STATUS_OK;
}

static enum status find_places(struct run *run, struct error *err) {
    const struct train_spec *spec = &run->claim->job.spec;
    enum status status = find_dataset(run, err);
    if (!status)
        status = find_model(run, "teacher", spec->teacher, run->teacher, err);
    if (!status)
        status = find_model(run, "init", spec->init, run->init, err);
    if (!status)
        status = find_model(run, "model", spec->model, run->model, err);
    if (!status)
        status = checkpoints_folder(run->kept, run->config->data, run->claim->job.id, err);
    return status;
}

/* An attempt that has lost its claim ends by itself; this one waits for it, alive. */
static enum status wait_for_lock(struct run *run, struct error *err) {
    int64_t patience_ns = clock_mono_ns() + 2 * run->config->lease_ms * NS_PER_MS;
    for (;;) {
        enum status status = lock_folder(run->folder, &run->lock_fd, err);
        if (status != STATUS_CONFLICT)
            return status;
        if (run_look(run, NULL) != VERDICT_GO || signals_stop() || clock_mono_ns() > patience_ns)
            return error_set(err, STATUS_CANCELLED, "an earlier attempt still holds the folder");
        clock_sleep_ms(POLL_MS);
    }
}

static enum status open_folder(struct run *run, struct error *err) {
    char path[FILE_PATH_BYTES];
    enum status status =
        folder_path(run->folder, run->config->data, "jobs", run->claim->job.id, err);
    if (!status)
        status = wait_for_lock(run, err);
    if (!status)
        status = file_join(path, run->folder, "points", err);
    return status ? status : outbox_open(&run->outbox, path, err);
}

/* ---- training ---- */

static enum status train(struct run *run, struct error *err) {
    const struct train_job job = {
        .spec = &run->claim->job.spec,
        .dataset_folder = run->dataset,
        .teacher_path = run->teacher[0] ? run->teacher : NULL,
        .init_path = run->init[0] ? run->init : NULL,
        .out_folder = run->folder,
        .weights_folder = run->claim->job.spec.keep_checkpoints ? run->kept : NULL,
        .resume = true,
    };
    const struct train_callbacks callbacks = {run, on_tick, on_point, on_checkpoint};
    return trainer_run(&job, &callbacks, &run->result, err);
}

static enum status publish_model(struct run *run, struct error *err) {
    struct model_card card;
    enum status status = card_of_run(&card, &run->claim->job, &run->result, run->folder, err);
    if (!status)
        status = models_publish(run->config->data, run->folder, &card, err);
    model_card_release(&card);
    return status;
}

static enum status train_and_publish(struct run *run, struct error *err) {
    enum status status = train(run, err);
    if (!status && run_look(run, NULL) != VERDICT_GONE)
        status = publish_model(run, err);
    return status;
}

static enum status find_result(const struct run *run, struct model *model, struct error *err) {
    char id[ID_BYTES];
    model_id_of_job(id, run->claim->job.id);
    return models_find(model, run->config->data, id, err);
}

static bool has_model(const struct run *run) {
    struct model model;
    bool found = find_result(run, &model, NULL) == STATUS_OK;
    if (found)
        model_release(&model);
    return found;
}

static enum status describe_model(const struct run *run, struct outcome *outcome,
                                  struct error *err) {
    struct model model;
    enum status status = find_result(run, &model, err);
    if (status)
        return status;
    *outcome = (struct outcome){.top1 = model.card.top1, .reproducible = model.card.reproducible};
    str_copy(outcome->model, sizeof outcome->model, model.card.id);
    str_copy(outcome->weights_sha256, sizeof outcome->weights_sha256, model.card.weights_sha256);
    model_release(&model);
    return STATUS_OK;
}

const struct errand errand_train = {has_model, train_and_publish, describe_model};

/* ---- the run ---- */

/* The number of threads is part of the result, so the job keeps it; but more than there are
 * processors wait for each other. */
static void warn_of_threads(struct run *run) {
    const struct train_spec *spec = &run->claim->job.spec;
    int processors = parallel_processors();
    bool computes_on_cpu = spec->device == DEVICE_CPU || spec->device == DEVICE_AUTO;
    if (!computes_on_cpu || spec->threads <= processors)
        return;
    job_log_add(&run->log, "%lld threads on %d processors: this will be slow",
                (long long)spec->threads, processors);
    log_warn("many_threads", log_text("job", run->claim->job.id), log_int("threads", spec->threads),
             log_int("processors", processors));
}

static enum status work(struct run *run, struct error *err) {
    enum status status = open_folder(run, err);
    if (status)
        return status;
    job_log_open(&run->log, run->config->data, run->claim->job.id, run->claim->job.attempt);
    job_log_add(&run->log, "claimed by %s", run->claim->job.worker);
    if (run->errand->is_done(run))
        return STATUS_OK;
    warn_of_threads(run);
    status = find_places(run, err);
    return status ? status : run->errand->work(run, err);
}

enum run_end run_claim(const struct config *config, struct redis_pool *pool,
                       const struct claim *claim, int64_t claimed_ns, struct presence *presence) {
    struct run *run = xcalloc(1, sizeof *run);
    struct error err = {0};
    run->errand = claim->job.spec.method == METHOD_PREDICT ? &errand_predict : &errand_train;
    run->config = config;
    run->pool = pool;
    run->claim = claim;
    run->lock_fd = -1;
    run->log.fd = -1;
    run->progress.step = -1;
    outbox_init(&run->outbox);
    run->reporter = (struct reporter){.pool = pool,
                                      .claim = claim,
                                      .outbox = &run->outbox,
                                      .presence = presence,
                                      .lease_ms = config->lease_ms,
                                      .max_lost = config->max_lost,
                                      .hang_ms = HANG_MS,
                                      .claimed_ns = claimed_ns};
    reporter_start(&run->reporter);
    enum status status = work(run, &err);
    enum run_end end = run_settle(run, status, &err);
    reporter_stop(&run->reporter);
    outbox_release(&run->outbox);
    job_log_close(&run->log);
    if (run->lock_fd >= 0)
        close(run->lock_fd);
    free(run);
    return end;
}
