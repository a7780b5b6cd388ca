#include "engine/data/dataset.h"

#include "engine/base/safetensors.h"
#include "engine/base/str.h"
#include "engine/data/images.h"
#include "engine/data/known.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MARKS = 4 };

/* A row a format: one of the marks, in the folder or in its sub-folder, shows it. */
struct format {
    const char *name;
    const char *marks[MAX_MARKS];
    const char *sub_folder; /* as the published archive unpacks, or NULL */
    const char *names_file; /* class names that the archive brings, or NULL */
    const char *known;      /* the set it is when the name says nothing, or NULL */
    enum status (*open)(struct dataset *dataset, const char *folder, struct error *err);
};

static const struct format formats[] = {
    {"safetensors", {"train.safetensors"}, NULL, NULL, NULL, tensors_open},
    {"cifar10",
     {"data_batch_1.bin"},
     "cifar-10-batches-bin",
     "batches.meta.txt",
     "cifar10",
     cifar10_open},
    {"cifar100",
     {"train.bin"},
     "cifar-100-binary",
     "fine_label_names.txt",
     "cifar100",
     cifar100_open},
    {"idx",
     {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "train-images.idx3-ubyte",
      "train-images.idx3-ubyte.gz"},
     NULL,
     NULL,
     NULL,
     idx_open},
    {DATASET_IMAGES,
     {"train", "train.tar", "train.tar.gz", "train.tgz"},
     NULL,
     NULL,
     NULL,
     images_open},
};

enum { FORMAT_COUNT = sizeof formats / sizeof formats[0] };

const char *part_name(enum part part) {
    static const char *const names[PART_COUNT] = {"train", "test"};
    return names[part];
}

struct split *dataset_split(struct dataset *dataset, enum part part) {
    return part == PART_TRAIN ? &dataset->train : &dataset->test;
}

enum status dataset_alloc(struct dataset *dataset, int place, size_t bytes, const char *what,
                          struct error *err) {
    return mem_alloc_large(&dataset->storage[place], bytes, what, err);
}

enum status dataset_alloc_labels(struct dataset *dataset, enum part part, int64_t count,
                                 int32_t **labels, struct error *err) {
    struct split *split = dataset_split(dataset, part);
    int place = STORAGE_LABELS + (int)part;
    if (count < 1 || count > INT32_MAX)
        return error_set(err, STATUS_CORRUPT, "%lld pictures in the %s split are not in 1..%d",
                         (long long)count, part_name(part), INT32_MAX);
    enum status status =
        dataset_alloc(dataset, place, (size_t)count * sizeof **labels, "labels", err);
    if (status)
        return status;
    *labels = dataset->storage[place];
    split->labels = *labels;
    split->count = count;
    return STATUS_OK;
}

enum status dataset_set_shape(struct dataset *dataset, enum part part, const int64_t shape[3],
                              struct error *err) {
    int height = (int)shape[0], width = (int)shape[1], channels = (int)shape[2];
    bool same =
        height == dataset->height && width == dataset->width && channels == dataset->channels;
    if (part != PART_TRAIN && !same)
        return error_set(err, STATUS_CORRUPT,
                         "%s pictures are %dx%dx%d, but those of the train split %dx%dx%d",
                         part_name(part), height, width, channels, dataset->height, dataset->width,
                         dataset->channels);
    dataset->height = height;
    dataset->width = width;
    dataset->channels = channels;
    return STATUS_OK;
}

static bool has_mark(const struct format *format, const char *folder) {
    for (int i = 0; i < MAX_MARKS && format->marks[i]; i++) {
        char path[FILE_PATH_BYTES];
        if (file_join(path, folder, format->marks[i], NULL) == STATUS_OK && file_exists(path))
            return true;
    }
    return false;
}

/* The format found and the folder that holds its files, or NULL. */
static const struct format *find_format(const char *folder, char where[FILE_PATH_BYTES]) {
    for (int i = 0; i < FORMAT_COUNT; i++) {
        const struct format *format = &formats[i];
        if (str_copy(where, FILE_PATH_BYTES, folder) && has_mark(format, where))
            return format;
        if (format->sub_folder && file_join(where, folder, format->sub_folder, NULL) == STATUS_OK &&
            has_mark(format, where))
            return format;
    }
    return NULL;
}

static enum status nothing_found(const char *folder, struct error *err) {
    struct str marks = STR_INIT;
    for (int i = 0; i < FORMAT_COUNT; i++)
        str_addf(&marks, "%s%s (%s)", i ? ", " : "", formats[i].marks[0], formats[i].name);
    enum status status = error_set(
        err, STATUS_NOT_FOUND,
        "%s: %s; looked for %s, whose pictures lie in train/<class>/ and test/<class>/", folder,
        file_is_dir(folder) ? "there is no data set in it" : "there is no such folder",
        str_text(&marks));
    str_release(&marks);
    return status;
}

/* Reads class names from folder/file if there is such a file. */
static enum status try_names(struct dataset *dataset, const char *folder, const char *file,
                             struct error *err) {
    char path[FILE_PATH_BYTES];
    if (!file || dataset->class_names)
        return STATUS_OK;
    enum status status = file_join(path, folder, file, err);
    if (status || !file_exists(path))
        return status;
    return classes_read(path, &dataset->class_names, &dataset->classes, err);
}

static int largest_label(const struct dataset *dataset, enum part part) {
    const struct split *split = part == PART_TRAIN ? &dataset->train : &dataset->test;
    int largest = 0;
    for (int64_t i = 0; i < split->count; i++)
        if (split->labels[i] > largest)
            largest = split->labels[i];
    return largest;
}

/* Names from the published table, or numbers. */
static void invent_names(struct dataset *dataset, const struct known_set *known) {
    int train = largest_label(dataset, PART_TRAIN), test = largest_label(dataset, PART_TEST);
    dataset->classes = known ? known->classes : (train > test ? train : test) + 1;
    dataset->class_names = xcalloc((size_t)dataset->classes, sizeof *dataset->class_names);
    for (int i = 0; i < dataset->classes; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        dataset->class_names[i] = xstrdup(known ? known->class_names[i] : number);
    }
}

static enum status check_labels(const struct dataset *dataset, enum part part, struct error *err) {
    const struct split *split = part == PART_TRAIN ? &dataset->train : &dataset->test;
    for (int64_t i = 0; i < split->count; i++)
        if (split->labels[i] >= dataset->classes)
            return error_set(err, STATUS_CORRUPT,
                             "%s split: label %d of picture %lld is not in "
                             "0..%d",
                             part_name(part), split->labels[i], (long long)i, dataset->classes - 1);
    return STATUS_OK;
}

/* The user's names win over the archive's, and those over the published table. */
static enum status name_classes(struct dataset *dataset, const char *folder, const char *where,
                                const struct format *format, const struct known_set *known,
                                struct error *err) {
    enum status status = try_names(dataset, folder, "classes.txt", err);
    if (!status)
        status = try_names(dataset, where, format->names_file, err);
    if (status)
        return status;
    if (!dataset->class_names)
        invent_names(dataset, known && known->classes ? known : NULL);
    if (dataset->classes < 2)
        return error_set(err, STATUS_CORRUPT,
                         "%s: there is a single class, \"%s\"; at least two are needed to learn "
                         "to tell them apart",
                         folder, dataset->class_names[0]);
    status = check_labels(dataset, PART_TRAIN, err);
    if (!status)
        status = check_labels(dataset, PART_TEST, err);
    return error_wrap(err, status, "%s", folder);
}

/* The set that its name, its folder or its format say it is, if it has that shape. */
static const struct known_set *recognise(const struct dataset *dataset, const char *folder,
                                         const char *name, const struct format *format) {
    char own[FILE_PATH_BYTES];
    path_name(own, folder);
    const struct known_set *known = name ? known_find(name) : NULL;
    if (!known)
        known = known_find(own);
    if (!known && format->known)
        known = known_find(format->known);
    return known && known->channels == dataset->channels ? known : NULL;
}

static bool is_published(const struct dataset *dataset, const struct known_set *known) {
    return known && (!known->classes || known->classes == dataset->classes);
}

/* Mean and deviation: as noted when it was imported, as published, or computed. Encoded pictures
 * that nobody has looked at yet have no digests. */
static enum status describe(struct dataset *dataset, const char *folder,
                            const struct known_set *known, const struct dataset_watch *watch,
                            struct error *err) {
    const struct encoded *encoded = dataset->train.encoded;
    bool noted = false, inspected = encoded && !encoded->digest;
    enum status status = inspected ? images_inspect(dataset, watch, err) : STATUS_OK;
    if (status)
        return status;
    dataset_digest(dataset);
    status = dataset_read_note(dataset, folder, &noted, err);
    if (status || noted)
        return status;
    if (encoded && !inspected)
        status = images_inspect(dataset, watch, err);
    else if (!encoded && !is_published(dataset, known))
        dataset_measure(dataset);
    if (!status && is_published(dataset, known)) {
        memcpy(dataset->mean, known->mean, sizeof known->mean);
        memcpy(dataset->deviation, known->deviation, sizeof known->deviation);
    }
    return status;
}

enum status dataset_open(struct dataset *dataset, const char *folder, const char *name,
                         struct error *err) {
    return dataset_open_watched(dataset, folder, name, NULL, err);
}

enum status dataset_open_watched(struct dataset *dataset, const char *folder, const char *name,
                                 const struct dataset_watch *watch, struct error *err) {
    char where[FILE_PATH_BYTES];
    *dataset = (struct dataset){0};
    const struct format *format = find_format(folder, where);
    if (!format)
        return nothing_found(folder, err);
    str_copy(dataset->format, sizeof dataset->format, format->name);
    enum status status = format->open(dataset, where, err);
    const struct known_set *known = status ? NULL : recognise(dataset, folder, name, format);
    if (!status)
        status = name_classes(dataset, folder, where, format, known, err);
    if (!status)
        status = describe(dataset, folder, known, watch, err);
    if (status)
        dataset_close(dataset);
    return status;
}

void dataset_close(struct dataset *dataset) {
    for (int part = 0; part < PART_COUNT; part++) {
        struct file_map *map = dataset->storage[STORAGE_MAP + part];
        struct safetensors *tensors = dataset->storage[STORAGE_TENSORS + part];
        if (map)
            file_unmap(map);
        if (tensors)
            safetensors_close(tensors);
        struct encoded *encoded = dataset->storage[STORAGE_ENCODED + part];
        if (encoded)
            encoded_release(encoded);
        free(map);
        free(tensors);
        free(encoded);
        mem_free_large(dataset->storage[STORAGE_IMAGES + part]);
        mem_free_large(dataset->storage[STORAGE_LABELS + part]);
    }
    for (int i = 0; i < dataset->classes && dataset->class_names; i++)
        free(dataset->class_names[i]);
    free(dataset->class_names);
    *dataset = (struct dataset){0};
}

void split_limit(struct split *split, int64_t limit) {
    if (limit > 0 && limit < split->count)
        split->count = limit;
}
