#include "service/store/datasets.h"

#include "api/limits.h"
#include "engine/base/open.h"
#include "engine/base/str.h"
#include "service/common/log.h"
#include "service/common/signals.h"
#include "service/store/blobs.h"
#include "service/store/folders.h"
#include "service/store/publish.h"
#include "service/store/space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIND "datasets"
#define CARD "card.json"

/* ---- finding and listing ---- */

/* Only a well-formed name becomes part of a path. */
enum status datasets_check(const char *data, const char *name, struct error *err) {
    char folder[FILE_PATH_BYTES];
    if (!dataset_name_is_valid(name))
        return error_set(err, STATUS_NOT_FOUND, "there is no data set %s", name);
    enum status status = folder_path(folder, data, KIND, name, err);
    if (!status && !file_is_dir(folder))
        return error_set(err, STATUS_NOT_FOUND, "there is no data set %s", name);
    return status;
}

enum status datasets_find(struct dataset_entry *entry, const char *data, const char *name,
                          struct error *err) {
    char path[FILE_PATH_BYTES], *text = NULL;
    size_t len = 0;
    memset(entry, 0, sizeof *entry);
    enum status status = datasets_check(data, name, err);
    if (status)
        return status;
    status = folder_path(entry->folder, data, KIND, name, err);
    if (!status)
        status = file_join(path, entry->folder, CARD, err);
    if (!status)
        status = file_read(path, CARD_MAX_FILE_BYTES, &text, &len, err);
    if (!status)
        status = dataset_card_decode(&entry->card, text, len, err);
    free(text);
    if (!status)
        return STATUS_OK;
    dataset_entry_release(entry);
    error_wrap(err, status, "data set %s", name);
    return status;
}

void dataset_entry_release(struct dataset_entry *entry) {
    dataset_card_release(&entry->card);
    memset(entry, 0, sizeof *entry);
}

static enum status read_item(void *item, const void *ctx, const char *name, struct error *err) {
    return datasets_find(item, ctx, name, err);
}

enum status datasets_list(struct dataset_list *list, const char *data, const char *after, int limit,
                          struct error *err) {
    const struct folder_page page = {data,      KIND, after, false, limit, sizeof *list->item,
                                     read_item, data};
    struct folder_items found;
    enum status status = folder_read_page(&page, &found, err);
    *list = (struct dataset_list){.item = found.item, .count = found.count};
    str_copy(list->next, sizeof list->next, found.next);
    return status;
}

void dataset_list_release(struct dataset_list *list) {
    for (int i = 0; i < list->count; i++)
        dataset_entry_release(&list->item[i]);
    free(list->item);
    memset(list, 0, sizeof *list);
}

/* ---- importing ---- */

/* The path, links resolved, is this root or lies below it. */
static bool is_below(const char *resolved, const char *root) {
    char *base = realpath(root, NULL);
    bool below = false;
    if (base) {
        size_t len = strcmp(base, "/") == 0 ? 0 : strlen(base);
        below = strncmp(resolved, base, len) == 0 && (!resolved[len] || resolved[len] == '/');
    }
    free(base);
    return below;
}

static bool is_allowed(const char *resolved, const char *roots) {
    bool allowed = false;
    char *list = xstrdup(roots), *rest = NULL;
    for (char *root = strtok_r(list, ":", &rest); root; root = strtok_r(NULL, ":", &rest))
        allowed = allowed || is_below(resolved, root);
    free(list);
    return allowed;
}

/* What the path says, whatever is there. */
static bool names_a_root(const char *path, const char *roots) {
    bool named = false;
    char *list = xstrdup(roots), *rest = NULL;
    for (char *root = strtok_r(list, ":", &rest); root; root = strtok_r(NULL, ":", &rest)) {
        size_t len = strlen(root);
        named = named || (str_has_prefix(path, root) && (path[len] == '/' || path[len - 1] == '/'));
    }
    free(list);
    return named && !strstr(path, "/..");
}

/* Outside the roots nothing is told apart: not even whether a file exists. What comes out holds no
 * link, and as it is strict none is followed that takes a part's place later. */
static enum status resolve(const char *roots, const char *path, char out[FILE_PATH_BYTES],
                           struct error *err) {
    if (!roots[0])
        return error_set_field(err, STATUS_INVALID, "path",
                               "path: nothing may be imported, as import_roots= is not set");
    char *resolved = path[0] == '/' ? realpath(path, NULL) : NULL;
    bool allowed = resolved && is_allowed(resolved, roots) &&
                   strlen(resolved) + sizeof OPEN_STRICT <= FILE_PATH_BYTES &&
                   file_is_dir(resolved);
    if (allowed)
        snprintf(out, FILE_PATH_BYTES, OPEN_STRICT "%s", resolved);
    free(resolved);
    if (allowed)
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, "path",
                           names_a_root(path, roots)
                               ? "path: there is no folder %s"
                               : "path: %s is not under one of the import roots",
                           path);
}

static void fill_card(struct dataset_card *card, const struct dataset *dataset, const char *name) {
    memset(card, 0, sizeof *card);
    str_copy(card->name, sizeof card->name, name);
    str_copy(card->format, sizeof card->format, dataset->format);
    str_copy(card->sha256, sizeof card->sha256, dataset->sha256);
    clock_format(clock_wall_ms(), card->created);
    card->height = dataset->height;
    card->width = dataset->width;
    card->channels = dataset->channels;
    card->classes = dataset->classes;
    card->train_count = dataset->train.count;
    card->test_count = dataset->test.count;
    for (int i = 0; i < dataset->channels && i < CARD_MAX_CHANNELS; i++) {
        card->mean[i] = (double)dataset->mean[i];
        card->deviation[i] = (double)dataset->deviation[i];
    }
    for (int i = 0; i < dataset->classes; i++)
        class_names_add(&card->class_names, dataset->class_names[i]);
}

/* The folder's own pictures count too. */
static enum status check_room(const char *data, const char *folder, int64_t max_bytes,
                              struct error *err) {
    int64_t bytes;
    enum status status = max_bytes ? blobs_usage(data, folder, &bytes, err) : STATUS_OK;
    if (status || !max_bytes || bytes <= max_bytes)
        return status;
    return error_set(err, STATUS_NO_SPACE,
                     "all data sets would have %lld bytes, more than datasets_bytes, which is %lld",
                     (long long)bytes, (long long)max_bytes);
}

static enum status register_opened(const char *data, int64_t max_bytes,
                                   const struct dataset *dataset, const char *name,
                                   struct error *err) {
    struct publication publication;
    struct dataset_card card;
    struct str text = STR_INIT;
    fill_card(&card, dataset, name);
    dataset_card_add_json(&card, &text);
    enum status status = publication_begin(&publication, data, KIND, name, err);
    if (!status)
        status = dataset_write(dataset, publication.tmp_folder, err);
    if (!status)
        status = blobs_share(data, dataset->sha256, publication.tmp_folder, err);
    if (!status)
        status = check_room(data, publication.tmp_folder, max_bytes, err);
    if (!status)
        status = publication_add(&publication, CARD, str_text(&text), err);
    status = publication_end(&publication, status, err);
    if (status == STATUS_CONFLICT)
        status = error_set_field(err, STATUS_CONFLICT, "name", "data set %s exists already", name);
    if (status && blobs_sweep(data, NULL))
        log_warn("blobs_not_swept", log_text("data", data)); /* the next one does it */
    str_release(&text);
    dataset_card_release(&card);
    return status;
}

/* A service that is told to end does not look at all pictures of a large folder first. */
static bool go_on(void *ctx, int64_t checked, int64_t count) {
    (void)ctx, (void)checked, (void)count;
    return !signals_stop();
}

/* Messages name the place without the mark of a strict path. */
static void unmark(char *message, const char *folder) {
    if (folder[0] != '/' || folder[1] != '/')
        return;
    for (char *at = message; (at = strstr(at, folder)); at++)
        memmove(at, at + strlen(OPEN_STRICT), strlen(at + strlen(OPEN_STRICT)) + 1);
}

/* A folder that cannot be used is a wrong value of the request, and so is one with links. */
static enum status open_source(struct dataset *dataset, const struct dataset_source *source,
                               struct error *err) {
    struct error cause = {0};
    const struct dataset_watch watch = {NULL, go_on};
    enum status status =
        dataset_open_watched(dataset, source->folder, source->name, &watch, &cause);
    unmark(cause.message, source->folder);
    if (status == STATUS_CORRUPT || status == STATUS_NOT_FOUND || status == STATUS_INVALID ||
        status == STATUS_TOO_LARGE)
        return error_set_field(err, STATUS_INVALID, source->field, "%s: %.*s", source->field,
                               ERROR_MESSAGE_BYTES - 8, cause.message);
    if (status && err)
        *err = cause;
    return status;
}

enum status datasets_take(const char *data, int64_t max_bytes, const struct dataset_source *source,
                          struct dataset_entry *entry, struct error *err) {
    struct dataset dataset = {0};
    enum status status = space_check_count(data, KIND, LIMIT_DATASETS, err);
    if (!status)
        status = open_source(&dataset, source, err);
    if (!status)
        status = register_opened(data, max_bytes, &dataset, source->name, err);
    dataset_close(&dataset);
    return status ? status : datasets_find(entry, data, source->name, err);
}

enum status datasets_import(const char *data, const char *roots, int64_t max_bytes,
                            const struct dataset_request *request, struct dataset_entry *entry,
                            struct error *err) {
    char folder[FILE_PATH_BYTES];
    const struct dataset_source source = {request->name, folder, "path"};
    if (!dataset_name_is_valid(request->name))
        return error_set_field(err, STATUS_INVALID, "name", "name: %s cannot name a data set",
                               request->name);
    enum status status = resolve(roots, request->path, folder, err);
    return status ? status : datasets_take(data, max_bytes, &source, entry, err);
}

enum status datasets_withdraw(const char *data, const char *name, char gone[FILE_PATH_BYTES],
                              struct error *err) {
    enum status status = datasets_check(data, name, err);
    return status ? status : folder_withdraw(data, KIND, name, gone, err);
}

/* ---- sharing ---- */

static enum status share_dataset(void *ctx, const char *name, struct error *err) {
    const char *data = ctx;
    struct dataset_entry entry;
    if (datasets_find(&entry, data, name, NULL))
        return STATUS_OK; /* damaged: it stays as it is */
    enum status status = blobs_share(data, entry.card.sha256, entry.folder, err);
    dataset_entry_release(&entry);
    return status;
}

enum status datasets_share(const char *data, struct error *err) {
    char folder[FILE_PATH_BYTES];
    enum status status = folder_path(folder, data, KIND, NULL, err);
    if (status || !file_is_dir(folder))
        return status;
    return folder_each(folder, false, share_dataset, (void *)(uintptr_t)data, err);
}
