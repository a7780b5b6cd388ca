#include "engine/session/model_report.h"

#include "engine/base/mem.h"
#include "engine/model/model_json.h"
#include "engine/session/trainer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_report_info(const struct trainer *trainer, struct model_info *info) {
    const struct dataset *dataset = &trainer->dataset;
    const struct input *input = &trainer->input;
    *info = (struct model_info){.height = input->height,
                                .width = input->width,
                                .channels = input->channels,
                                .resize_size = input->shorter,
                                .interpolation = (int)input->filter,
                                .classes = dataset->classes,
                                .class_names = dataset->class_names};
    str_copy(info->architecture, sizeof info->architecture, trainer->spec->student);
    model_info_set_dataset(info, trainer->spec->dataset);
    memcpy(info->mean, dataset->mean, sizeof info->mean);
    memcpy(info->deviation, dataset->deviation, sizeof info->deviation);
}

static enum status write_weights(const struct trainer *trainer, const char *path,
                                 struct error *err) {
    struct network_values values;
    struct model_info info;
    network_values_init(&values, &trainer->student);
    params_download(&trainer->student_params, values.weight, values.state);
    values.batches_tracked = trainer->checkpoint.step;
    model_report_info(trainer, &info);
    enum status status = network_save(&trainer->student, &info, &values, path, err);
    network_values_release(&values);
    return status;
}

static void add_number(struct str *out, const char *name, double value) {
    str_addf(out, ", \"%s\": ", name);
    str_add_double(out, value);
}

static void add_evaluation(struct str *out, const char *name, const struct metric_point *point) {
    str_addf(out, ",\n  \"%s\": {\"epoch\": %lld, \"step\": %lld", name, (long long)point->epoch,
             (long long)point->step);
    add_number(out, "top1", point->top1);
    add_number(out, "top5", point->top5);
    add_number(out, "loss", point->loss);
    str_add(out, "}");
}

static void add_text(struct str *out, const char *name, const char *value) {
    str_addf(out, ",\n  \"%s\": ", name);
    str_add_json(out, value);
}

static void add_report(const struct trainer *trainer, const struct train_result *result,
                       struct str *out) {
    struct model_info info;
    model_report_info(trainer, &info);
    str_add(out, "{");
    model_info_add_json(&info, out);
    add_text(out, "dataset_sha256", trainer->dataset.sha256);
    add_text(out, "sha256", result->weights_sha256);
    str_addf(out, ",\n  \"parameters\": %lld",
             (long long)param_table_learnable(&trainer->student.table));
    add_evaluation(out, "evaluation", &result->last);
    add_evaluation(out, "best", &result->best);
    add_text(out, "engine", trainer->checkpoint.identity);
    str_addf(out,
             ",\n  \"reproducible\": %s,\n  \"spec\": ", result->reproducible ? "true" : "false");
    train_spec_add_json(trainer->spec, out);
    str_add(out, "\n}\n");
}

enum status model_report_write(const struct trainer *trainer, struct train_result *result,
                               struct error *err) {
    char path[FILE_PATH_BYTES];
    enum status status = file_join(path, trainer->job->out_folder, "model.safetensors", err);
    if (!status)
        status = write_weights(trainer, path, err);
    if (!status)
        status = sha256_file(path, result->weights_sha256, err);
    if (!status)
        status = file_join(path, trainer->job->out_folder, "model.json", err);
    if (status)
        return status;
    struct str text = STR_INIT;
    add_report(trainer, result, &text);
    status = file_write(path, str_text(&text), text.len, err);
    str_release(&text);
    return status;
}

enum status evaluation_report_path(const struct trainer *trainer, char path[FILE_PATH_BYTES],
                                   struct error *err) {
    return file_join(path, trainer->job->out_folder, "evaluation.json", err);
}

enum status evaluation_report_write(const struct trainer *trainer, struct error *err) {
    char path[FILE_PATH_BYTES];
    struct evaluation evaluation;
    struct str text = STR_INIT;
    enum status status = evaluation_report_path(trainer, path, err);
    if (status)
        return status;
    scorer_end(trainer->scorer, &evaluation);
    str_copy(evaluation.precision, sizeof evaluation.precision,
             precision_names[trainer->spec->precision]);
    str_copy(evaluation.dataset_sha256, sizeof evaluation.dataset_sha256, trainer->dataset.sha256);
    evaluation_add_stored(&evaluation, &text);
    status = file_write(path, str_text(&text), text.len, err);
    str_release(&text);
    evaluation_release(&evaluation);
    return status;
}

enum status model_snapshot_write(const struct trainer *trainer, struct error *err) {
    char name[64], path[FILE_PATH_BYTES];
    const char *folder = trainer->job->weights_folder;
    snprintf(name, sizeof name, "%012lld.safetensors", (long long)trainer->checkpoint.step);
    enum status status = file_make_dirs(folder, err);
    if (!status)
        status = file_join(path, folder, name, err);
    return status ? status : write_weights(trainer, path, err);
}
