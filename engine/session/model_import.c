#include "engine/session/model_import.h"

#include "engine/data/dataset.h"
#include "engine/data/known.h"
#include "engine/model/model_json.h"
#include "engine/spec/train_input.h"

#include <stdio.h>
#include <string.h>

/* ---- from a data set ---- */

static void copy_names(struct model_info *info, const char *const *names) {
    info->class_names = xcalloc((size_t)info->classes, sizeof *info->class_names);
    for (int i = 0; i < info->classes; i++)
        info->class_names[i] = xstrdup(names[i]);
}

/* What torchvision's models are evaluated with. */
void import_info_set_middle(struct model_info *info) {
    info->height = info->width = IMAGE_SIZE_DEFAULT;
    info->resize_size = train_input_shorter(IMAGE_SIZE_DEFAULT);
}

void import_info_of_known(struct model_info *info, const char *dataset) {
    const struct known_set *set = known_find(dataset);
    memset(info, 0, sizeof *info);
    if (!set)
        return;
    model_info_set_dataset(info, dataset);
    info->height = info->width = set->side;
    if (!set->side)
        import_info_set_middle(info);
    info->channels = set->channels;
    info->classes = set->classes;
    memcpy(info->mean, set->mean, sizeof set->mean);
    memcpy(info->deviation, set->deviation, sizeof set->deviation);
    if (set->class_names)
        copy_names(info, set->class_names);
}

static enum status take_folder(struct model_info *info, const char *folder, struct error *err) {
    struct dataset dataset = {0};
    enum status status = dataset_open(&dataset, folder, NULL, err);
    if (status)
        return status;
    info->height = dataset.height;
    info->width = dataset.width;
    if (!dataset.height)
        import_info_set_middle(info);
    info->channels = dataset.channels;
    info->classes = dataset.classes;
    memcpy(info->mean, dataset.mean, sizeof info->mean);
    memcpy(info->deviation, dataset.deviation, sizeof info->deviation);
    copy_names(info, (const char *const *)dataset.class_names);
    dataset_close(&dataset);
    return STATUS_OK;
}

enum status import_info_find(struct model_info *info, const char *dataset, struct error *err) {
    memset(info, 0, sizeof *info);
    if (!file_is_dir(dataset))
        import_info_of_known(info, dataset);
    if (info->channels || !dataset[0])
        return STATUS_OK;
    model_info_set_dataset(info, dataset);
    return take_folder(info, dataset, err);
}

/* ---- from the fields ---- */

/* Puts a list's numbers into out, and their count into the info if it has none yet. */
static enum status take_numbers(struct model_info *info, const char *name,
                                const struct text_list *list, float *out, struct error *err) {
    if (!list->count)
        return STATUS_OK;
    if (!info->channels && list->count <= MODEL_MAX_CHANNELS)
        info->channels = list->count;
    if (list->count != info->channels)
        return error_set_field(err, STATUS_INVALID, name,
                               "%s: %d numbers for pictures with %d channels", name, list->count,
                               info->channels);
    for (int i = 0; i < list->count; i++) {
        double number;
        if (!str_parse_double(list->item[i], &number) || number < 0 || number > 1000)
            return error_set_field(err, STATUS_INVALID, name,
                                   "%s: \"%s\" is not a number from 0 to 1000", name,
                                   list->item[i]);
        out[i] = (float)number;
    }
    return STATUS_OK;
}

static enum status require(bool given, const char *name, struct error *err) {
    if (given)
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, name, "%s is required where no data set says it",
                           name);
}

static enum status check_deviation(const struct model_info *info, struct error *err) {
    for (int i = 0; i < info->channels; i++)
        if (!(info->deviation[i] > 0))
            return error_set_field(err, STATUS_INVALID, "deviation",
                                   "deviation: channel %d has %g, which cannot be divided by", i,
                                   (double)info->deviation[i]);
    return STATUS_OK;
}

static enum status check_complete(const struct model_info *info, const struct import_spec *spec,
                                  struct error *err) {
    bool normalised = info->dataset[0] || (spec->mean.count && spec->deviation.count);
    enum status status = require(info->height > 0, "height", err);
    if (!status)
        status = require(info->width > 0, "width", err);
    if (!status)
        status = require(normalised || spec->mean.count, "mean", err);
    if (!status)
        status = require(normalised, "deviation", err);
    return status ? status : check_deviation(info, err);
}

/* How a picture gets the input's size, which is known. */
static enum status take_fit(struct model_info *info, const struct import_spec *spec,
                            struct error *err) {
    info->interpolation = spec->interpolation;
    if (spec->resize_size)
        info->resize_size = (int)spec->resize_size;
    else if (info->resize_size)
        info->resize_size = train_input_shorter(info->height);
    if (info->resize_size && (info->height != info->width || info->resize_size < info->height))
        return error_set_field(err, STATUS_INVALID, "resize_size",
                               "resize_size: the middle %dx%d cannot be taken from %d pixels; "
                               "height and width must be equal and at most resize_size",
                               info->height, info->width, info->resize_size);
    return STATUS_OK;
}

enum status import_info_complete(struct model_info *info, const struct import_spec *spec,
                                 struct error *err) {
    if (info->classes && spec->classes && spec->classes != info->classes)
        return error_set_field(err, STATUS_INVALID, "classes",
                               "classes is %d, but data set %s has %d", (int)spec->classes,
                               info->dataset, info->classes);
    str_copy(info->architecture, sizeof info->architecture, spec->architecture);
    if (spec->classes)
        info->classes = (int)spec->classes;
    if (spec->height)
        info->height = (int)spec->height;
    if (spec->width)
        info->width = (int)spec->width;
    enum status status = take_numbers(info, "mean", &spec->mean, info->mean, err);
    if (!status)
        status = take_numbers(info, "deviation", &spec->deviation, info->deviation, err);
    if (!status)
        status = check_complete(info, spec, err);
    return status ? status : take_fit(info, spec, err);
}

/* ---- weights ---- */

static void add_report(const struct loaded_model *model, const char *sha256, struct str *out) {
    str_add(out, "{");
    model_info_add_json(&model->info, out);
    str_add(out, ",\n  \"sha256\": ");
    str_add_json(out, sha256);
    str_addf(out, ",\n  \"parameters\": %lld,\n  \"imported\": true\n}\n",
             (long long)param_table_learnable(&model->network.table));
}

static enum status write_files(const struct loaded_model *model, const char *folder,
                               struct error *err) {
    char path[FILE_PATH_BYTES], sha256[SHA256_HEX_BYTES];
    struct str text = STR_INIT;
    enum status status = file_join(path, folder, "model.safetensors", err);
    if (!status)
        status = network_save(&model->network, &model->info, &model->values, path, err);
    if (!status)
        status = sha256_file(path, sha256, err);
    if (!status)
        status = file_join(path, folder, "model.json", err);
    if (!status) {
        add_report(model, sha256, &text);
        status = file_write(path, str_text(&text), text.len, err);
    }
    str_release(&text);
    return status;
}

enum status model_import(const char *path, const struct model_info *info, const char *out_folder,
                         struct misfits *misfits, struct error *err) {
    struct loaded_model model;
    enum status status = model_load_bare(&model, path, info, misfits, err);
    if (status)
        return status;
    status = file_make_dirs(out_folder, err);
    if (!status)
        status = write_files(&model, out_folder, err);
    loaded_model_release(&model);
    return status;
}
