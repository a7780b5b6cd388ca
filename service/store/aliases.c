#include "service/store/aliases.h"

#include "api/limits.h"
#include "service/store/folders.h"
#include "service/store/publish.h"
#include "service/store/space.h"

#include <stdlib.h>
#include <string.h>

#define KIND "aliases"
enum { FILE_MAX_BYTES = 1024, TRIES = 2 };

static enum status read_alias(struct alias_card *card, const char *data, const char *name,
                              struct error *err) {
    char path[FILE_PATH_BYTES], *text = NULL;
    size_t len = 0;
    /* Only a well-formed name becomes part of a path. */
    if (!alias_name_is_valid(name))
        return error_set(err, STATUS_NOT_FOUND, "there is no alias %s", name);
    enum status status = folder_path(path, data, KIND, name, err);
    if (!status && !file_exists(path))
        return error_set(err, STATUS_NOT_FOUND, "there is no alias %s", name);
    if (!status)
        status = file_read(path, FILE_MAX_BYTES, &text, &len, err);
    if (!status)
        status = alias_card_decode(card, text, len, err);
    free(text);
    return error_wrap(err, status, "alias %s", name);
}

/* ---- listing ---- */

static enum status read_item(void *item, const void *ctx, const char *name, struct error *err) {
    return read_alias(item, ctx, name, err);
}

enum status aliases_list(struct alias_list *list, const char *data, const char *after, int limit,
                         struct error *err) {
    const struct folder_page page = {data,      KIND, after, false, limit, sizeof *list->item,
                                     read_item, data};
    struct folder_items found;
    enum status status = folder_read_page(&page, &found, err);
    *list = (struct alias_list){.item = found.item, .count = found.count};
    str_copy(list->next, sizeof list->next, found.next);
    return status;
}

void alias_list_release(struct alias_list *list) {
    free(list->item);
    memset(list, 0, sizeof *list);
}

/* ---- what they stand for ---- */

enum status aliases_resolve(const char *data, const char *name, char id[ID_BYTES], const char **out,
                            struct error *err) {
    struct alias_card card;
    *out = name;
    enum status status = read_alias(&card, data, name, err);
    if (status)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    str_copy(id, ID_BYTES, card.model);
    *out = id;
    return STATUS_OK;
}

enum status aliases_find_model(struct model *model, const char *data, const char *name,
                               struct error *err) {
    char id[ID_BYTES];
    const char *meant;
    enum status status = STATUS_NOT_FOUND;
    for (int i = 0; i < TRIES && status == STATUS_NOT_FOUND; i++) {
        memset(model, 0, sizeof *model);
        status = aliases_resolve(data, name, id, &meant, err);
        if (!status)
            status = models_find(model, data, meant, err);
    }
    return status;
}

/* ---- changes ---- */

static enum status write_alias(const char *path, const struct alias_card *card, struct error *err) {
    struct str text = STR_INIT;
    alias_card_add_json(card, &text);
    enum status status = file_write(path, str_text(&text), text.len, err);
    str_release(&text);
    return status;
}

enum status aliases_point(const char *data, const char *name, const char *model,
                          struct alias_card *card, bool *created, struct error *err) {
    char path[FILE_PATH_BYTES], id[ID_BYTES];
    const char *meant = NULL;
    CHECK(alias_name_is_valid(name));
    enum status status = aliases_resolve(data, model, id, &meant, err);
    if (!status)
        status = models_check(data, meant, err);
    if (!status)
        status = folder_path(path, data, KIND, name, err);
    if (status)
        return status;
    *created = !file_exists(path);
    *card = (struct alias_card){.name = ""};
    str_copy(card->name, sizeof card->name, name);
    str_copy(card->model, sizeof card->model, meant);
    clock_format(clock_wall_ms(), card->changed);
    if (*created)
        status = space_check_count(data, KIND, LIMIT_ALIASES, err);
    return status ? status : write_alias(path, card, err);
}

enum status aliases_remove(const char *data, const char *name, struct error *err) {
    char folder[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
    if (!alias_name_is_valid(name))
        return error_set(err, STATUS_NOT_FOUND, "there is no alias %s", name);
    enum status status = folder_path(folder, data, KIND, NULL, err);
    if (!status)
        status = file_join(path, folder, name, err);
    if (!status && !file_exists(path))
        status = error_set(err, STATUS_NOT_FOUND, "there is no alias %s", name);
    if (!status)
        status = file_remove_all(path, err);
    return status ? status : folder_sync(folder, err);
}

struct model_use {
    const char *data, *model;
};

/* One that cannot be read may point at any model. */
static enum status check_alias(void *ctx, const char *name, struct error *err) {
    const struct model_use *use = ctx;
    struct alias_card card;
    enum status status = read_alias(&card, use->data, name, err);
    if (!status && str_equal(card.model, use->model))
        status = error_set(err, STATUS_CONFLICT, "alias %s points at model %s", name, use->model);
    return status;
}

enum status aliases_check_unused(const char *data, const char *model, struct error *err) {
    char folder[FILE_PATH_BYTES];
    struct model_use use = {data, model};
    enum status status = folder_path(folder, data, KIND, NULL, err);
    return status ? status : folder_each(folder, false, check_alias, &use, err);
}
