#include "service/store/model_card.h"

#include "engine/base/sha256.h"
#include "engine/model/model_file.h"

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

enum status model_card_describe(struct model_card *card, const char *folder, struct error *err) {
    char path[FILE_PATH_BYTES];
    struct safetensors file = {0};
    enum status status = model_weights_path(path, folder, err);
    if (!status)
        status = safetensors_open(&file, path, err);
    if (!status)
        status = describe_weights(card, path, &file, err);
    safetensors_close(&file);
    return status;
}
