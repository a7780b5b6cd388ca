/*
 * train.c - `distill train`: trains a student; the arguments are those of a job.
 */
#include "engine/cli/command.h"
#include "engine/cli/interrupt.h"
#include "engine/cli/progress.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum train_wish on_tick(void *ctx, const struct train_progress *at) {
    progress_tick(ctx, at);
    return interrupt_requested() ? TRAIN_STOP : TRAIN_CONTINUE;
}

/* A reader that went away is noticed here, not only at the end. */
static enum status on_point(void *ctx, const struct metric_point *point, struct error *err) {
    progress_point(ctx, point);
    if (ferror(stdout))
        return error_set(err, STATUS_IO, "writing to the standard output failed");
    return STATUS_OK;
}

static bool stat_in(const char *out, const char *name, struct stat *info) {
    char path[FILE_PATH_BYTES];
    return file_join(path, out, name, NULL) == STATUS_OK && stat(path, info) == 0;
}

static bool is_later(struct timespec a, struct timespec b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* A run that has not ended would be lost. Its checkpoint is later than any earlier run's model. */
static enum status check_folder(const struct train_spec *spec, struct error *err) {
    struct stat checkpoint, model;
    if (spec->resume || !stat_in(spec->out, "checkpoint.safetensors", &checkpoint) ||
        (stat_in(spec->out, "model.safetensors", &model) &&
         !is_later(checkpoint.st_mtim, model.st_mtim)))
        return STATUS_OK;
    return error_set_field(err, STATUS_CONFLICT, "out",
                           "a run in %s has not ended: go on with it by resume=1, or give another "
                           "out, or remove its checkpoint.safetensors",
                           spec->out);
}

/* A checkpoint may also be that of an earlier run that this one went on from. */
static enum status explain_stop(const char *out, struct error *err) {
    char path[FILE_PATH_BYTES], stopped[ERROR_MESSAGE_BYTES];
    str_copy(stopped, sizeof stopped, err->message);
    if (file_join(path, out, "checkpoint.safetensors", NULL) != STATUS_OK || !file_exists(path))
        return error_set(err, STATUS_CANCELLED, "%s; nothing was saved yet", stopped);
    return error_set(err, STATUS_CANCELLED,
                     "%s; saved in %s: go on with the same arguments and resume=1", stopped, out);
}

static enum status run(void *options, const struct names *names, struct error *err) {
    struct train_spec *spec = options;
    struct progress progress;
    struct train_result result = {0};
    (void)names;
    if (spec->method == METHOD_PREDICT)
        return error_set_field(err, STATUS_INVALID, "method",
                               "method predict is for jobs of distilld; here distill eval does it");
    enum status status = train_spec_finish(spec, err);
    if (!status)
        status = check_folder(spec, err);
    if (status)
        return status;
    const struct train_job job = {.spec = spec,
                                  .dataset_folder = spec->dataset,
                                  .teacher_path = spec->teacher[0] ? spec->teacher : NULL,
                                  .init_path = spec->init[0] ? spec->init : NULL,
                                  .out_folder = spec->out,
                                  .resume = spec->resume};
    const struct train_callbacks callbacks = {.ctx = &progress, .tick = on_tick, .point = on_point};
    progress_init(&progress);
    progress.train_points = spec->report_every > 0;
    interrupt_catch();
    status = trainer_run(&job, &callbacks, &result, err);
    progress_end(&progress);
    if (status)
        rmdir(spec->out); /* if nothing was put there */
    if (status == STATUS_CANCELLED)
        return explain_stop(spec->out, err);
    if (!status && progress.terminal)
        printf("%s/model.safetensors  top1 %.4f  sha256 %s\n", spec->out, result.last.top1,
               result.weights_sha256);
    return status;
}

const struct command command_train = {
    .name = "train",
    .sentence = "Trains a network, alone or from a teacher.",
    .required = {"student", "dataset", "out"},
    .table = &train_spec_table,
    .options_bytes = sizeof(struct train_spec),
    .refused = FIELD_JOB,
    .run = run,
};
