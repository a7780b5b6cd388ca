/* The general form of a data set on disk, and the note beside it that says what it is. */
#include "engine/base/json.h"
#include "engine/base/safetensors.h"
#include "engine/base/str.h"
#include "engine/data/images.h"

#include <stdlib.h>

#define NOTE_FILE "dataset.json"
enum { NOTE_MAX_BYTES = 64 << 10 };

static enum status write_split(const struct dataset *dataset, const struct split *split,
                               const char *path, struct error *err) {
    if (split->encoded)
        return images_write(split, path, err);
    size_t bytes = (size_t)split->count * (size_t)dataset->height * (size_t)dataset->width *
                   (size_t)dataset->channels;
    const struct tensor tensors[] = {
        {.name = "labels",
         .type = TENSOR_I32,
         .rank = 1,
         .dim = {split->count},
         .data = split->labels,
         .bytes = (size_t)split->count * sizeof *split->labels},
        {.name = "images",
         .type = TENSOR_U8,
         .rank = 4,
         .dim = {split->count, dataset->height, dataset->width, dataset->channels},
         .data = split->images,
         .bytes = bytes},
    };
    return safetensors_write(path, tensors, 2, NULL, 0, err);
}

static void add_floats(struct str *text, const char *key, const float *values, int count) {
    str_addf(text, ", \"%s\": [", key);
    for (int i = 0; i < count; i++) {
        str_add(text, i ? ", " : "");
        str_add_float(text, values[i]);
    }
    str_add(text, "]");
}

/* The digest is of what was written: splits may have been cut since the data set was opened. */
static void add_note(struct str *text, const struct dataset *opened) {
    struct dataset copy = *opened, *dataset = &copy;
    dataset_digest(dataset);
    str_addf(text, "{\"format\": \"distill-dataset\", \"sha256\": \"%s\"", dataset->sha256);
    str_addf(text, ", \"height\": %d, \"width\": %d, \"channels\": %d, \"classes\": %d",
             dataset->height, dataset->width, dataset->channels, dataset->classes);
    str_addf(text, ", \"train\": %lld, \"test\": %lld", (long long)dataset->train.count,
             (long long)dataset->test.count);
    add_floats(text, "mean", dataset->mean, dataset->channels);
    add_floats(text, "deviation", dataset->deviation, dataset->channels);
    str_add(text, "}\n");
}

static void add_names(struct str *text, const struct dataset *dataset) {
    for (int i = 0; i < dataset->classes; i++)
        str_addf(text, "%s\n", dataset->class_names[i]);
}

static enum status write_text(const struct dataset *dataset, const char *path,
                              void (*add)(struct str *text, const struct dataset *dataset),
                              struct error *err) {
    struct str text = STR_INIT;
    add(&text, dataset);
    enum status status = file_write(path, str_text(&text), text.len, err);
    str_release(&text);
    return status;
}

/* The note comes last: where it is, everything is. */
enum status dataset_write(const struct dataset *dataset, const char *folder, struct error *err) {
    char train[FILE_PATH_BYTES], test[FILE_PATH_BYTES], names[FILE_PATH_BYTES],
        note[FILE_PATH_BYTES];
    enum status status = file_make_dirs(folder, err);
    if (!status)
        status = file_join(train, folder, "train.safetensors", err);
    if (!status)
        status = file_join(test, folder, "test.safetensors", err);
    if (!status)
        status = file_join(names, folder, "classes.txt", err);
    if (!status)
        status = file_join(note, folder, NOTE_FILE, err);
    if (!status)
        status = write_split(dataset, &dataset->train, train, err);
    if (!status)
        status = write_split(dataset, &dataset->test, test, err);
    if (!status)
        status = write_text(dataset, names, add_names, err);
    if (!status)
        status = write_text(dataset, note, add_note, err);
    return status;
}

static enum status read_floats(const struct json *list, const char *key, int count, float *out,
                               struct error *err) {
    if (!list || list->type != JSON_ARRAY || list->count != (size_t)count)
        return error_set(err, STATUS_CORRUPT, "\"%s\" is not a list of %d numbers", key, count);
    const struct json *item = list->child;
    for (int i = 0; i < count; i++, item = item->next) {
        if (item->type != JSON_NUMBER || item->number < 0 || item->number > 1)
            return error_set(err, STATUS_CORRUPT, "an item of \"%s\" is not in 0..1", key);
        out[i] = (float)item->number;
    }
    return STATUS_OK;
}

static enum status apply_note(struct dataset *dataset, const struct json *note, struct error *err) {
    int channels = dataset->channels;
    const char *sha256 = json_text_or(json_member(note, "sha256"), "");
    if (!str_equal(sha256, dataset->sha256))
        return error_set(err, STATUS_CORRUPT,
                         "pictures or labels have changed: their digest is %s, noted was %.64s",
                         dataset->sha256, sha256);
    enum status status =
        read_floats(json_member(note, "mean"), "mean", channels, dataset->mean, err);
    if (!status)
        status = read_floats(json_member(note, "deviation"), "deviation", channels,
                             dataset->deviation, err);
    for (int i = 0; i < channels && !status; i++)
        if (dataset->deviation[i] <= 0)
            status = error_set(err, STATUS_CORRUPT, "an item of \"deviation\" is 0");
    return status;
}

/* Somebody else's dataset.json does not have our format's name and is left alone. */
static bool is_note(const struct json *note) {
    return str_equal(json_text_or(json_member(note, "format"), ""), "distill-dataset");
}

enum status dataset_read_note(struct dataset *dataset, const char *folder, bool *found,
                              struct error *err) {
    char path[FILE_PATH_BYTES], *text = NULL;
    size_t len;
    struct arena arena = {0};
    const struct json *note;
    enum status status = file_join(path, folder, NOTE_FILE, err);
    if (status || !file_exists(path))
        return status;
    status = file_read(path, NOTE_MAX_BYTES, &text, &len, err);
    if (status)
        return status;
    status = json_parse(&arena, text, len, &note, err);
    *found = !status && is_note(note);
    if (*found)
        status = apply_note(dataset, note, err);
    arena_release(&arena);
    free(text);
    return error_wrap(err, status, "%s", path);
}
