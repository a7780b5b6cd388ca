#include "engine/model/bare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct network_size size_of(const struct model_info *info, int classes) {
    return (struct network_size){info->height, info->width, info->channels, classes};
}

/* The classes that the weights tell apart, if they are those of this architecture: its last
 * parameter is the classifier's bias. 0: they cannot be. */
static int classes_of(const struct safetensors *file, const struct model_info *info,
                      const char *architecture) {
    struct network network = {0};
    int64_t classes = 0;
    if (network_init(&network, architecture, size_of(info, 2), true, NULL) == STATUS_OK) {
        const struct param *last = &network.table.param[network.table.count - 1];
        const struct tensor *bias = safetensors_find(file, last->name);
        if (bias && bias->rank == 1 && bias->dim[0] >= 2 && bias->dim[0] <= 65536)
            classes = bias->dim[0];
    }
    network_release(&network);
    return (int)classes;
}

/* Every tensor is one of this architecture, for some number of classes. */
static bool fits(const struct safetensors *file, const struct model_info *info,
                 const char *architecture) {
    struct misfits misfits = {0};
    struct network network = {0};
    int classes = classes_of(file, info, architecture);
    if (!classes ||
        network_init(&network, architecture, size_of(info, classes), true, NULL) != STATUS_OK)
        return false;
    misfits_find(&misfits, &network.table, file);
    network_release(&network);
    return misfits_total(&misfits) == 0;
}

/* Appends what the user may have meant to the message of an error. */
static enum status suggest(const struct safetensors *file, const struct model_info *info,
                           struct error *err) {
    const struct error cause = *err;
    struct str names = STR_INIT;
    for (const struct architecture *row = zoo; row->name; row++)
        if (!str_equal(row->name, info->architecture) && fits(file, info, row->name))
            str_addf(&names, "%s%s", names.len ? " or " : "", row->name);
    if (names.len)
        error_set_field(err, cause.status, "architecture", "%.320s; they are those of %.60s",
                        cause.message, str_text(&names));
    else if (file->count && str_has_prefix(file->tensors[0].name, "module."))
        error_set(err, cause.status, "%.320s; take the prefix \"module.\" off the names",
                  cause.message);
    str_release(&names);
    return cause.status;
}

/* The names are numbers where there are none. */
static void take_info(struct model_info *to, const struct model_info *from, int classes) {
    *to = *from;
    to->classes = classes;
    to->class_names = xcalloc((size_t)classes, sizeof *to->class_names);
    for (int i = 0; i < classes; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        to->class_names[i] = xstrdup(from->class_names ? from->class_names[i] : number);
    }
}

static enum status check_classes(const struct model_info *info, int classes, struct error *err) {
    if (!classes || !info->classes || classes == info->classes)
        return STATUS_OK;
    if (!info->dataset[0])
        return error_set_field(err, STATUS_INVALID, "classes",
                               "the weights tell %d classes apart, not %d", classes, info->classes);
    return error_set_field(err, STATUS_INVALID, "dataset",
                           "the weights tell %d classes apart, not %d as data set %s; name the one "
                           "that they were trained on",
                           classes, info->classes, info->dataset);
}

/* Takes the path off the front of a message: callers know it, and that of an upload is nobody
 * else's business. */
static void forget_path(struct error *err, const char *path) {
    size_t len = strlen(path);
    char *message = err->message;
    if (str_has_prefix(message, path) && strncmp(message + len, ": ", 2) == 0)
        memmove(message, message + len + 2, strlen(message + len + 2) + 1);
}

static enum status load(struct loaded_model *model, const struct safetensors *file,
                        const struct model_info *info, struct misfits *misfits, struct error *err) {
    struct network *network = &model->network;
    int found = classes_of(file, info, info->architecture);
    int classes = info->classes ? info->classes : found ? found : 2;
    enum status status = check_classes(info, found, err);
    if (!status)
        status = network_init(network, info->architecture, size_of(info, classes), true, err);
    if (status)
        return status;
    take_info(&model->info, info, classes);
    return network_load(network, file, &model->values, misfits, err);
}

enum status model_load_bare(struct loaded_model *model, const char *path,
                            const struct model_info *info, struct misfits *misfits,
                            struct error *err) {
    struct error own = {0}; /* suggest() reads it */
    struct safetensors file = {0};
    char weights[FILE_PATH_BYTES];
    memset(model, 0, sizeof *model);
    enum status status = model_weights_path(weights, path, &own);
    if (!status) {
        status = safetensors_open(&file, weights, &own);
        forget_path(&own, weights);
    }
    if (!status) {
        status = load(model, &file, info, misfits, &own);
        if (status == STATUS_INVALID && !own.field[0])
            status = suggest(&file, info, &own);
    }
    safetensors_close(&file);
    if (!status)
        return STATUS_OK;
    if (err)
        *err = own;
    loaded_model_release(model);
    return status;
}
