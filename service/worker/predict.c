/* The errand of method predict: a model's answers for a split, as files, and its evaluation. */
#include "engine/base/clock.h"
#include "engine/session/evaluator.h"
#include "engine/session/scorer.h"
#include "service/common/signals.h"
#include "service/store/evaluations.h"
#include "service/store/models.h"
#include "service/store/predictions.h"
#include "service/worker/settle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A pass of the model over the split. */
struct sweep {
    struct run *run;
    const struct train_spec *spec;
    struct dataset dataset;
    const struct split *split;
    struct predictor *predictor;
    struct scorer *scorer;
    struct file_writer file[PREDICTIONS_FORMATS];
    int open_files;
    struct str lines, table; /* of a batch */
    int64_t begin_ns;        /* when the first batch was asked for */
    struct train_progress progress;
};

/* ---- following ---- */

static enum status look(struct sweep *sweep, const char *phase, struct error *err) {
    struct run *run = sweep->run;
    sweep->progress.phase = phase;
    run->progress = sweep->progress;
    if (run_look(run, &run->progress) == VERDICT_GO && !signals_stop())
        return STATUS_OK;
    return error_set(err, STATUS_CANCELLED, "stopped at batch %lld of %lld",
                     (long long)sweep->progress.step, (long long)sweep->progress.steps);
}

static bool go_on(void *ctx, int64_t checked, int64_t count) {
    (void)checked, (void)count;
    return look(ctx, "preparing", NULL) == STATUS_OK;
}

static void update_progress(struct sweep *sweep, int64_t done) {
    struct train_progress *progress = &sweep->progress;
    double seconds = (double)(clock_mono_ns() - sweep->begin_ns) / 1e9;
    progress->step++;
    progress->images_per_s = seconds > 0 ? (double)done / seconds : 0;
    progress->remaining_s = seconds / (double)done * (double)(sweep->split->count - done);
}

/* ---- files ---- */

/* A text in a CSV column. */
static void add_quoted(struct str *out, const char *text) {
    str_add(out, "\"");
    for (; *text; text++)
        str_add_bytes(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    str_add(out, "\"");
}

static void add_line(struct sweep *sweep, int64_t offset, int label, const struct scored *scored) {
    char *const *names = sweep->dataset.class_names;
    struct str *out = &sweep->lines;
    str_addf(out, "{\"offset\":%lld,\"index\":%d,\"label\":", (long long)offset, label);
    str_add_json(out, names[label]);
    str_addf(out, ",\"predicted_index\":%d,\"predicted\":", scored->predicted);
    str_add_json(out, names[scored->predicted]);
    str_add_float(str_json_key(out, "score"), (float)scored->score);
    str_add(out, "}\n");
}

static void add_table_row(struct sweep *sweep, int64_t offset, int label,
                          const struct scored *scored) {
    char *const *names = sweep->dataset.class_names;
    struct str *out = &sweep->table;
    str_addf(out, "%lld,%d,", (long long)offset, label);
    add_quoted(out, names[label]);
    str_addf(out, ",%d,", scored->predicted);
    add_quoted(out, names[scored->predicted]);
    str_add(out, ",");
    str_add_float(out, (float)scored->score);
    str_add(out, "\n");
}

static enum status flush(struct sweep *sweep, enum predictions_format format, struct str *text,
                         struct error *err) {
    enum status status = file_writer_add(&sweep->file[format], str_text(text), text->len, err);
    str_clear(text);
    return status;
}

static enum status add_batch(void *ctx, const struct evaluator_batch *batch, struct error *err) {
    struct sweep *sweep = ctx;
    size_t classes = (size_t)sweep->dataset.classes;
    enum status status = STATUS_OK;
    for (int i = 0; i < batch->rows && !status; i++) {
        struct scored scored;
        status = scorer_add(sweep->scorer, batch->first + i, batch->labels[i],
                            batch->logits + (size_t)i * classes, &scored, err);
        if (status)
            return status;
        add_line(sweep, batch->first + i, batch->labels[i], &scored);
        add_table_row(sweep, batch->first + i, batch->labels[i], &scored);
    }
    status = flush(sweep, PREDICTIONS_JSONL, &sweep->lines, err);
    if (!status)
        status = flush(sweep, PREDICTIONS_CSV, &sweep->table, err);
    if (!status)
        status = file_writer_add(&sweep->file[PREDICTIONS_SAFETENSORS], batch->logits,
                                 (size_t)batch->rows * classes * sizeof(float), err);
    update_progress(sweep, batch->first + batch->rows);
    return status ? status : look(sweep, "predicting", err);
}

/* The labels are known, so they stand in front of the logits. */
static enum status begin_tensors(struct sweep *sweep, const char *path, struct error *err) {
    struct file_writer *file = &sweep->file[PREDICTIONS_SAFETENSORS];
    int64_t count = sweep->split->count, classes = sweep->dataset.classes;
    size_t label_bytes = (size_t)count * sizeof(int32_t);
    const struct tensor tensors[] = {
        {.name = "labels", .type = TENSOR_I32, .rank = 1, .dim = {count}, .bytes = label_bytes},
        {.name = "logits",
         .type = TENSOR_F32,
         .rank = 2,
         .dim = {count, classes},
         .bytes = (size_t)count * (size_t)classes * sizeof(float)},
    };
    enum status status = safetensors_begin(file, path, tensors, 2, err);
    if (status)
        return status;
    sweep->open_files++;
    return file_writer_add(file, sweep->split->labels, label_bytes, err);
}

static enum status open_files(struct sweep *sweep, struct error *err) {
    char path[FILE_PATH_BYTES];
    enum status status = STATUS_OK;
    for (int format = 0; format < PREDICTIONS_SAFETENSORS && !status; format++) {
        status = predictions_path(path, sweep->run->folder, (enum predictions_format)format, err);
        if (!status)
            status = file_writer_open(&sweep->file[format], path, err);
        if (!status)
            sweep->open_files++;
    }
    if (!status)
        status = predictions_path(path, sweep->run->folder, PREDICTIONS_SAFETENSORS, err);
    if (!status)
        status = begin_tensors(sweep, path, err);
    str_add(&sweep->table, "offset,index,label,predicted_index,predicted,score\n");
    return status;
}

/* Commits all files, or takes them away. */
static enum status close_files(struct sweep *sweep, enum status status, struct error *err) {
    for (int format = 0; format < sweep->open_files; format++)
        if (status)
            file_writer_abandon(&sweep->file[format]);
        else
            status = file_writer_commit(&sweep->file[format], err);
    sweep->open_files = 0;
    return status;
}

/* ---- the errand ---- */

static struct evaluation_key key_of(const struct train_spec *spec) {
    return (struct evaluation_key){spec->dataset, (enum split_kind)spec->split};
}

static enum status open_inputs(struct sweep *sweep, struct error *err) {
    const struct train_spec *spec = sweep->spec;
    const struct dataset_watch watch = {sweep, go_on};
    enum status status =
        dataset_open_watched(&sweep->dataset, sweep->run->dataset, spec->dataset, &watch, err);
    if (status)
        return status;
    sweep->split = spec->split == SPLIT_TEST ? &sweep->dataset.test : &sweep->dataset.train;
    sweep->progress.steps = evaluator_batches(sweep->split->count);
    status = look(sweep, "preparing", err);
    if (!status)
        status =
            predictor_create(&sweep->predictor, sweep->run->model, (enum device_kind)spec->device,
                             (int)spec->threads, (enum precision)spec->precision, err);
    if (!status)
        status = scorer_create(&sweep->scorer, sweep->split->count, sweep->dataset.classes, err);
    return status;
}

static enum status predict_all(struct sweep *sweep, struct error *err) {
    enum status status = open_files(sweep, err);
    sweep->begin_ns = clock_mono_ns();
    if (!status)
        status = look(sweep, "predicting", err);
    if (!status)
        status =
            evaluator_run(sweep->predictor, &sweep->dataset, sweep->split, add_batch, sweep, err);
    return close_files(sweep, status, err);
}

/* The curve of the job is one point. */
static enum status tell_point(struct sweep *sweep, struct error *err) {
    struct scorer_means means = scorer_means(sweep->scorer);
    const struct metric_point point = {.phase = METRIC_EVAL,
                                       .epoch = 1,
                                       .step = sweep->progress.steps,
                                       .loss = means.loss,
                                       .ce = means.loss,
                                       .distill = NAN,
                                       .top1 = means.top1,
                                       .top5 = means.top5,
                                       .learning_rate = NAN,
                                       .images_per_s = sweep->progress.images_per_s};
    return run_point(sweep->run, &point, err);
}

/* The predictions come last: where they are, all is done. */
static enum status hand_in(struct sweep *sweep, struct error *err) {
    struct run *run = sweep->run;
    const struct evaluation_key key = key_of(sweep->spec);
    struct evaluation evaluation;
    scorer_end(sweep->scorer, &evaluation);
    str_copy(evaluation.precision, sizeof evaluation.precision,
             precision_names[sweep->spec->precision]);
    str_copy(evaluation.dataset_sha256, sizeof evaluation.dataset_sha256, sweep->dataset.sha256);
    enum status status = evaluation_put(run->model, &key, &evaluation, err);
    if (!status)
        status = predictions_publish(run->config->data, run->claim->job.id, run->folder, err);
    evaluation_release(&evaluation);
    return status;
}

static enum status work(struct run *run, struct error *err) {
    struct sweep sweep = {
        .run = run,
        .spec = &run->claim->job.spec,
        .progress = {.epoch = 1, .epochs = 1, .remaining_s = NAN, .loss = NAN, .top1 = NAN},
    };
    enum status status = open_inputs(&sweep, err);
    if (!status)
        status = predict_all(&sweep, err);
    if (!status)
        status = tell_point(&sweep, err);
    if (!status)
        status = look(&sweep, "saving", err);
    if (!status)
        status = hand_in(&sweep, err);
    scorer_free(sweep.scorer);
    predictor_free(sweep.predictor);
    dataset_close(&sweep.dataset);
    str_release(&sweep.lines);
    str_release(&sweep.table);
    return status;
}

static bool is_done(const struct run *run) {
    char path[FILE_PATH_BYTES];
    return predictions_find(path, run->config->data, run->claim->job.id, PREDICTIONS_JSONL, NULL) ==
           STATUS_OK;
}

static enum status describe(const struct run *run, struct outcome *outcome, struct error *err) {
    const struct train_spec *spec = &run->claim->job.spec;
    const struct evaluation_key key = key_of(spec);
    struct model model;
    struct evaluation evaluation = {0};
    enum status status = models_find(&model, run->config->data, spec->model, err);
    if (!status)
        status = evaluation_find(&evaluation, model.folder, &key, err);
    if (!status)
        *outcome = (struct outcome){.top1 = evaluation.top1, .reproducible = true};
    evaluation_release(&evaluation);
    model_release(&model);
    return status;
}

const struct errand errand_predict = {is_done, work, describe};
