#include "service/worker/card.h"

#include "engine/model/model_file.h"
#include "service/store/models.h"

#include <string.h>

/* Batch norm's running values are state, not parameters. */
static bool is_parameter(const struct tensor *tensor) {
    static const char *const state[] = {"running_mean", "running_var", "num_batches_tracked"};
    for (size_t i = 0; i < sizeof state / sizeof *state; i++)
        if (str_has_suffix(tensor->name, state[i]))
            return false;
    return true;
}

static int64_t count_parameters(const struct safetensors *file) {
    int64_t count = 0;
    for (size_t i = 0; i < file->count; i++)
        if (is_parameter(&file->tensors[i]))
            count += tensor_elements(&file->tensors[i]);
    return count;
}

static void describe_spec(struct model_card *card, const struct job *job) {
    const struct train_spec *spec = &job->spec;
    struct str text = STR_INIT;
    model_id_of_job(card->id, job->id);
    clock_format(clock_wall_ms(), card->created);
    str_copy(card->job, sizeof card->job, job->id);
    str_copy(card->name, sizeof card->name, spec->name);
    str_copy(card->dataset, sizeof card->dataset, spec->dataset);
    str_copy(card->teacher, sizeof card->teacher, spec->teacher);
    card->spec = xcalloc(1, sizeof *card->spec);
    *card->spec = *spec;
    field_add_text(field_find(&train_spec_table, "method"), spec, &text);
    str_copy(card->method, sizeof card->method, str_text(&text));
    str_clear(&text);
    field_add_text(field_find(&train_spec_table, "precision"), spec, &text);
    str_copy(card->precision, sizeof card->precision, str_text(&text));
    str_release(&text);
}

static void describe_result(struct model_card *card, const struct train_result *result) {
    card->epoch = result->last.epoch;
    card->loss = result->last.loss;
    card->top1 = result->last.top1;
    card->top5 = result->last.top5;
    card->best_epoch = result->best.epoch;
    card->best_top1 = result->best.top1;
    card->reproducible = result->reproducible;
    str_copy(card->engine, sizeof card->engine, result->identity);
    str_copy(card->dataset_sha256, sizeof card->dataset_sha256, result->dataset_sha256);
}

static enum status describe_weights(struct model_card *card, const char *path,
                                    const struct safetensors *file, struct error *err) {
    struct model_info info = {0};
    enum status status = model_info_read(&info, file, err);
    if (!status)
        status = sha256_file(path, card->weights_sha256, err);
    if (!status) {
        str_copy(card->architecture, sizeof card->architecture, info.architecture);
        card->height = info.height;
        card->width = info.width;
        card->channels = info.channels;
        card->classes = info.classes;
        for (int i = 0; i < info.classes; i++)
            class_names_add(&card->class_names, info.class_names[i]);
        card->parameters = count_parameters(file);
        card->weights_bytes = file_size(path);
    }
    model_info_release(&info);
    return status;
}

enum status card_of_run(struct model_card *card, const struct job *job,
                        const struct train_result *result, const char *folder, struct error *err) {
    char path[FILE_PATH_BYTES];
    struct safetensors file = {0};
    memset(card, 0, sizeof *card);
    describe_spec(card, job);
    describe_result(card, result);
    enum status status = model_weights_path(path, folder, err);
    if (!status)
        status = safetensors_open(&file, path, err);
    if (!status)
        status = describe_weights(card, path, &file, err);
    safetensors_close(&file);
    return status;
}
