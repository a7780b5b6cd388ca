#include "engine/model/model_file.h"

#include "engine/base/json.h"
#include "engine/base/str.h"
#include "engine/base/utf8.h"
#include "engine/spec/train_spec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_FORMAT "distill-1"

void model_info_release(struct model_info *info) {
    for (int i = 0; info->class_names && i < info->classes; i++)
        free(info->class_names[i]);
    free(info->class_names);
    memset(info, 0, sizeof *info);
}

void model_info_set_dataset(struct model_info *info, const char *path) {
    char name[FILE_PATH_BYTES];
    path_name(name, path);
    utf8_copy(info->dataset, sizeof info->dataset, name);
}

enum status model_weights_path(char out[FILE_PATH_BYTES], const char *path, struct error *err) {
    if (file_is_dir(path))
        return file_join(out, path, "model.safetensors", err);
    if (!str_copy(out, FILE_PATH_BYTES, path))
        return error_set(err, STATUS_TOO_LARGE, "path is longer than %d bytes", FILE_PATH_BYTES);
    return STATUS_OK;
}

static char *floats_text(struct arena *arena, const float *values, int count) {
    struct str text = STR_INIT;
    str_add(&text, "[");
    for (int i = 0; i < count; i++)
        str_add_float(str_json_item(&text), values[i]);
    str_add(&text, "]");
    char *copy = arena_strndup(arena, str_text(&text), text.len);
    str_release(&text);
    return copy;
}

static char *names_text(struct arena *arena, const struct model_info *info) {
    struct str text = STR_INIT;
    str_add(&text, "[");
    for (int i = 0; i < info->classes; i++)
        str_add_json(str_json_item(&text), info->class_names[i]);
    str_add(&text, "]");
    char *copy = arena_strndup(arena, str_text(&text), text.len);
    str_release(&text);
    return copy;
}

void model_notes_init(struct model_notes *notes, const struct model_info *info) {
    memset(notes, 0, sizeof *notes);
    struct arena *arena = &notes->arena;
    const struct safetensors_note filled[MODEL_NOTE_COUNT] = {
        {"format", MODEL_FORMAT},
        {"architecture", info->architecture},
        {"dataset", info->dataset},
        {"height", arena_printf(arena, "%d", info->height)},
        {"width", arena_printf(arena, "%d", info->width)},
        {"channels", arena_printf(arena, "%d", info->channels)},
        {"classes", arena_printf(arena, "%d", info->classes)},
        {"mean", floats_text(arena, info->mean, info->channels)},
        {"deviation", floats_text(arena, info->deviation, info->channels)},
        {"class_names", names_text(arena, info)},
        {"resize_size", arena_printf(arena, "%d", info->resize_size)},
        {"interpolation", interpolation_names[info->interpolation]},
    };
    memcpy(notes->note, filled, sizeof filled);
}

void model_notes_release(struct model_notes *notes) {
    arena_release(&notes->arena);
}

static enum status read_int(const struct safetensors *file, const char *key, int max, int *out,
                            struct error *err) {
    const char *text = safetensors_metadata(file, key);
    int64_t value;
    if (!text)
        return error_set(err, STATUS_INVALID, "the metadata has no \"%s\"", key);
    if (!str_parse_i64(text, &value) || value < 1 || value > max)
        return error_set(err, STATUS_INVALID, "metadata \"%s\" is \"%.40s\", not 1 to %d", key,
                         text, max);
    *out = (int)value;
    return STATUS_OK;
}

static enum status read_text(const struct safetensors *file, const char *key,
                             char out[MODEL_NAME_BYTES], struct error *err) {
    const char *text = safetensors_metadata(file, key);
    if (!text || !str_copy(out, MODEL_NAME_BYTES, text))
        return error_set(err, STATUS_INVALID, "the metadata has no usable \"%s\"", key);
    return STATUS_OK;
}

/* A JSON array of exactly count elements, in the arena. */
static enum status read_array(const struct safetensors *file, const char *key, int count,
                              struct arena *arena, const struct json **out, struct error *err) {
    const char *text = safetensors_metadata(file, key);
    if (!text)
        return error_set(err, STATUS_INVALID, "the metadata has no \"%s\"", key);
    enum status status = json_parse(arena, text, strlen(text), out, err);
    if (status)
        return error_wrap(err, status, "metadata \"%s\"", key);
    if ((*out)->type != JSON_ARRAY || (*out)->count != (size_t)count)
        return error_set(err, STATUS_INVALID, "metadata \"%s\" is not a list of %d", key, count);
    return STATUS_OK;
}

static enum status read_floats(const struct safetensors *file, const char *key, int count,
                               float *out, struct error *err) {
    struct arena arena = {0};
    const struct json *array;
    enum status status = read_array(file, key, count, &arena, &array, err);
    if (!status) {
        const struct json *item = array->child;
        for (int i = 0; i < count; i++, item = item->next)
            out[i] = (float)json_number_or(item, NAN);
        for (int i = 0; i < count && !status; i++)
            if (!isfinite(out[i]))
                status = error_set(err, STATUS_INVALID, "metadata \"%s\" holds no number", key);
    }
    arena_release(&arena);
    return status;
}

static enum status read_names(const struct safetensors *file, struct model_info *info,
                              struct error *err) {
    struct arena arena = {0};
    const struct json *array;
    enum status status = read_array(file, "class_names", info->classes, &arena, &array, err);
    if (!status) {
        info->class_names = xcalloc((size_t)info->classes, sizeof *info->class_names);
        const struct json *item = array->child;
        for (int i = 0; i < info->classes; i++, item = item->next)
            info->class_names[i] = xstrdup(json_text_or(item, "?"));
    }
    arena_release(&arena);
    return status;
}

/* How a picture gets the input's size. Files of before this was noted squash it, bilinear. */
static enum status read_fit(const struct safetensors *file, struct model_info *info,
                            struct error *err) {
    const char *size = safetensors_metadata(file, "resize_size");
    const char *filter = safetensors_metadata(file, "interpolation");
    int64_t shorter = 0;
    if (size && (!str_parse_i64(size, &shorter) || shorter < 0 || shorter > MODEL_MAX_RESIZE))
        return error_set(err, STATUS_INVALID, "metadata \"resize_size\" is \"%.40s\", not 0 to %d",
                         size, MODEL_MAX_RESIZE);
    if (shorter && (info->height != info->width || shorter < info->height))
        return error_set(err, STATUS_INVALID,
                         "metadata \"resize_size\" is %d, which does not cover %dx%d", (int)shorter,
                         info->height, info->width);
    bool bicubic = str_equal(filter, interpolation_names[INTERPOLATION_BICUBIC]);
    if (filter && !bicubic && !str_equal(filter, interpolation_names[INTERPOLATION_BILINEAR]))
        return error_set(err, STATUS_INVALID, "metadata \"interpolation\" is \"%.40s\"", filter);
    info->resize_size = (int)shorter;
    info->interpolation = bicubic ? INTERPOLATION_BICUBIC : INTERPOLATION_BILINEAR;
    return STATUS_OK;
}

static enum status read_all(struct model_info *info, const struct safetensors *file,
                            struct error *err) {
    enum status status = read_text(file, "architecture", info->architecture, err);
    if (!status)
        status = read_text(file, "dataset", info->dataset, err);
    if (!status)
        status = read_int(file, "height", 1024, &info->height, err);
    if (!status)
        status = read_int(file, "width", 1024, &info->width, err);
    if (!status)
        status = read_int(file, "channels", MODEL_MAX_CHANNELS, &info->channels, err);
    if (!status)
        status = read_int(file, "classes", 65536, &info->classes, err);
    if (!status)
        status = read_floats(file, "mean", info->channels, info->mean, err);
    if (!status)
        status = read_floats(file, "deviation", info->channels, info->deviation, err);
    if (!status)
        status = read_names(file, info, err);
    if (!status)
        status = read_fit(file, info, err);
    return status;
}

enum status model_info_read(struct model_info *info, const struct safetensors *file,
                            struct error *err) {
    memset(info, 0, sizeof *info);
    const char *format = safetensors_metadata(file, "format");
    if (!str_equal(format, MODEL_FORMAT))
        return error_set(err, STATUS_INVALID,
                         "the file's metadata does not describe a model (format is \"%.40s\", not "
                         "\"%s\"); distill import makes one of weights alone",
                         format ? format : "", MODEL_FORMAT);
    enum status status = read_all(info, file, err);
    if (status)
        model_info_release(info);
    return status;
}
