#include "engine/data/images.h"

#include "engine/base/str.h"
#include "engine/base/utf8.h"
#include "engine/data/gzip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct encoded *images_add_list(struct dataset *dataset, enum part part, const char *place) {
    struct encoded *list = xcalloc(1, sizeof *list);
    dataset->storage[STORAGE_ENCODED + part] = list;
    dataset_split(dataset, part)->encoded = list;
    str_copy(list->place, sizeof list->place, place);
    return list;
}

/* ---- where a split lies ---- */

struct source {
    const char *top; /* "train", "test", "val" */
    const char *suffix;
    char path[FILE_PATH_BYTES];
};

static bool find_source(struct source *source, const char *folder, const char *top) {
    static const char *const suffixes[] = {"", ".tar", ".tar.gz", ".tgz"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char name[32];
        CHECK(snprintf(name, sizeof name, "%s%s", top, suffixes[i]) < (int)sizeof name);
        *source = (struct source){.top = top, .suffix = suffixes[i]};
        if (file_join(source->path, folder, name, NULL) == STATUS_OK && file_exists(source->path))
            return true;
    }
    return false;
}

static enum status find_part(struct source *source, const char *folder, enum part part,
                             struct error *err) {
    bool found = part == PART_TRAIN
                     ? find_source(source, folder, "train")
                     : find_source(source, folder, "test") || find_source(source, folder, "val");
    return found ? STATUS_OK
                 : error_set(err, STATUS_CORRUPT,
                             "%s: there is no test and no val beside train: a folder, .tar or "
                             ".tar.gz of the pictures to test with",
                             folder);
}

/* ---- one list of pictures ---- */

static enum status list_archive(struct dataset *dataset, enum part part, struct encoded *list,
                                const struct source *source, struct error *err) {
    struct file_map *map = xcalloc(1, sizeof *map);
    dataset->storage[STORAGE_MAP + part] = map;
    enum status status = str_has_suffix(source->suffix, "gz") ? gzip_map(map, source->path, err)
                                                              : file_map(map, source->path, err);
    return status ? status : images_list_archive(list, map->data, map->len, source->top, err);
}

/* By class and then by name: a slash comes before all other bytes. */
static int compare_names(const char *a, const char *b) {
    while (*a && *a == *b)
        a++, b++;
    int left = *a == '/' ? 1 : (unsigned char)*a + 1, right = *b == '/' ? 1 : (unsigned char)*b + 1;
    return *a && *b ? left - right : (*a != '\0') - (*b != '\0');
}

static int compare_items(const void *a, const void *b) {
    const struct encoded_item *left = a, *right = b;
    return compare_names(left->name, right->name);
}

static enum status sort_list(struct encoded *list, struct error *err) {
    if (list->count == 0)
        return error_set(err, STATUS_CORRUPT, "%s holds no JPEG or PNG pictures in class folders",
                         list->place);
    qsort(list->item, (size_t)list->count, sizeof *list->item, compare_items);
    for (int64_t i = 1; i < list->count; i++)
        if (str_equal(list->item[i - 1].name, list->item[i].name))
            return error_set(err, STATUS_CORRUPT, "%s/%s is there twice", list->place,
                             list->item[i].name);
    return STATUS_OK;
}

static enum status list_part(struct dataset *dataset, enum part part, const char *folder,
                             struct error *err) {
    struct source source;
    enum status status = find_part(&source, folder, part, err);
    if (status)
        return status;
    struct encoded *list = images_add_list(dataset, part, source.path);
    if (source.suffix[0])
        status = list_archive(dataset, part, list, &source, err);
    else if (file_is_dir(source.path))
        status = images_list_folder(list, err);
    else
        status = error_set(err, STATUS_CORRUPT, "%s is no folder", source.path);
    return status ? status : sort_list(list, err);
}

/* ---- classes and labels ---- */

static size_t class_len(const char *name) {
    return strcspn(name, "/");
}

static bool same_class(const char *a, const char *b) {
    return class_len(a) == class_len(b) && strncmp(a, b, class_len(a)) == 0;
}

/* A line of classes.txt, and text in a model's metadata. */
static bool is_class_name(const char *name, size_t len) {
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] < ' ')
            return false;
    return name[len - 1] != ' ' && utf8_is_valid(name, len);
}

static enum status collect_classes(struct dataset *dataset, struct error *err) {
    const struct encoded *list = dataset->train.encoded;
    int capacity = 0;
    for (int64_t i = 0; i < list->count; i++) {
        const char *name = list->item[i].name;
        size_t len = class_len(name);
        if (i && same_class(name, list->item[i - 1].name))
            continue;
        if (dataset->classes == DATASET_MAX_CLASSES)
            return error_set(err, STATUS_CORRUPT, "%s holds more than %d class folders",
                             list->place, DATASET_MAX_CLASSES);
        if (!is_class_name(name, len))
            return error_set(err, STATUS_CORRUPT,
                             "%s/%.*s: a class needs a name in UTF-8 that is one line", list->place,
                             (int)len, name);
        MEM_GROW(dataset->class_names, dataset->classes, capacity);
        char *class = xmalloc(len + 1);
        memcpy(class, name, len);
        class[len] = '\0';
        dataset->class_names[dataset->classes++] = class;
    }
    return STATUS_OK;
}

/* A picture's place in its class, and in the list as it is sorted. */
struct turn {
    int64_t rank, place;
};

static int compare_turns(const void *a, const void *b) {
    const struct turn *left = a, *right = b;
    if (left->rank != right->rank)
        return left->rank < right->rank ? -1 : 1;
    return left->place < right->place ? -1 : left->place > right->place;
}

/* Lets classes take turns in a list that is sorted. */
static void mix_classes(struct encoded *list) {
    size_t count = (size_t)list->count;
    struct turn *turn = xcalloc(count, sizeof *turn);
    struct encoded_item *mixed = xcalloc(count, sizeof *mixed);
    for (size_t i = 0; i < count; i++) {
        bool same = i && same_class(list->item[i].name, list->item[i - 1].name);
        turn[i] = (struct turn){same ? turn[i - 1].rank + 1 : 0, (int64_t)i};
    }
    qsort(turn, count, sizeof *turn, compare_turns);
    for (size_t i = 0; i < count; i++)
        mixed[i] = list->item[turn[i].place];
    free(turn);
    free(list->item);
    list->item = mixed;
    list->capacity = list->count;
}

/* The class of a picture's name, or -1; classes are sorted. */
static int find_class(const struct dataset *dataset, const char *name) {
    int low = 0, high = dataset->classes - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        const char *class = dataset->class_names[middle];
        int order = strncmp(name, class, class_len(name));
        if (order == 0 && class[class_len(name)])
            order = -1;
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return -1;
}

static enum status label_part(struct dataset *dataset, enum part part, struct error *err) {
    struct encoded *list = dataset->storage[STORAGE_ENCODED + part];
    int32_t *labels;
    mix_classes(list);
    enum status status = dataset_alloc_labels(dataset, part, list->count, &labels, err);
    for (int64_t i = 0; i < list->count && !status; i++) {
        labels[i] = find_class(dataset, list->item[i].name);
        if (labels[i] < 0)
            status = error_set(err, STATUS_CORRUPT,
                               "%s/%s: the training pictures have no class folder of that name",
                               list->place, list->item[i].name);
    }
    return status;
}

/* classes.txt gives the classes, in the order of their folders, other names. */
static enum status rename_classes(struct dataset *dataset, const char *folder, struct error *err) {
    char path[FILE_PATH_BYTES], **names = NULL;
    int count = 0;
    enum status status = file_join(path, folder, "classes.txt", err);
    if (status || !file_exists(path))
        return status;
    status = classes_read(path, &names, &count, err);
    if (!status && count != dataset->classes)
        status =
            error_set(err, STATUS_CORRUPT, "%s names %d classes, but there are %d class folders",
                      path, count, dataset->classes);
    for (int i = 0; i < count; i++) {
        char **name = status ? &names[i] : &dataset->class_names[i];
        free(*name);
        if (!status)
            *name = names[i];
    }
    free(names);
    return status;
}

enum status images_open(struct dataset *dataset, const char *folder, struct error *err) {
    dataset->channels = ENCODED_CHANNELS;
    enum status status = list_part(dataset, PART_TRAIN, folder, err);
    if (!status)
        status = list_part(dataset, PART_TEST, folder, err);
    if (!status)
        status = collect_classes(dataset, err);
    if (!status)
        status = label_part(dataset, PART_TRAIN, err);
    if (!status)
        status = label_part(dataset, PART_TEST, err);
    return status ? status : rename_classes(dataset, folder, err);
}
