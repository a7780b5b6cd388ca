#include "service/store/api_keys.h"

#include "api/limits.h"
#include "service/common/config.h"
#include "service/store/guard.h"
#include "service/store/publish.h"
#include "service/store/space.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 8192 };

static enum status key_path(char path[FILE_PATH_BYTES], const char *data, const char *name,
                            struct error *err) {
    CHECK(key_name_is_valid(name)); /* only a well-formed name becomes part of a path */
    return folder_path(path, data, CONFIG_KEYS_FOLDER, name, err);
}

/* ---- listing ---- */

static enum status read_key(struct key_card *card, const char *data, const char *name,
                            struct error *err) {
    char path[FILE_PATH_BYTES], *text = NULL;
    size_t len = 0;
    enum status status = key_path(path, data, name, err);
    if (!status)
        status = file_read(path, FILE_MAX_BYTES, &text, &len, err);
    if (!status)
        status = key_card_decode(card, text, len, err);
    free(text);
    if (!status && !str_equal(card->name, name))
        status = error_set(err, STATUS_CORRUPT, "it is the key %s", card->name);
    return error_wrap(err, status, "key %s", name);
}

static enum status read_item(void *item, const void *ctx, const char *name, struct error *err) {
    return key_name_is_valid(name) ? read_key(item, ctx, name, err) : STATUS_NOT_FOUND;
}

enum status api_keys_list(struct key_list *list, const char *data, const char *after, int limit,
                          int *skipped, struct error *err) {
    const struct folder_page page = {data,  CONFIG_KEYS_FOLDER, after,     false,
                                     limit, sizeof *list->item, read_item, data};
    struct folder_items found;
    enum status status = folder_read_page(&page, &found, err);
    *list = (struct key_list){.item = found.item, .count = found.count};
    str_copy(list->next, sizeof list->next, found.next);
    if (skipped)
        *skipped = found.skipped;
    return status;
}

void key_list_release(struct key_list *list) {
    free(list->item);
    memset(list, 0, sizeof *list);
}

/* ---- changes ---- */

static enum status write_key(const char *path, const struct key_card *card, struct error *err) {
    struct str text = STR_INIT;
    key_card_add_stored(card, &text);
    enum status status = file_write(path, str_text(&text), text.len, err);
    str_release(&text);
    return status;
}

static void fill_card(struct key_card *card, const struct key_request *request,
                      const char *secret) {
    *card = (struct key_card){.roles = request->roles, .limits = request->limits};
    str_copy(card->name, sizeof card->name, request->name);
    clock_format(clock_wall_ms(), card->created);
    secret_digest(secret, card->sha256);
}

static enum status add_key(const char *data, const struct key_card *card, struct error *err) {
    char folder[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
    enum status status = folder_path(folder, data, CONFIG_KEYS_FOLDER, NULL, err);
    if (!status)
        status = file_make_dirs(folder, err);
    if (!status)
        status = key_path(path, data, card->name, err);
    if (!status && file_exists(path))
        status = error_set(err, STATUS_CONFLICT, "there is a key %s already", card->name);
    if (!status)
        status = space_check_count(data, CONFIG_KEYS_FOLDER, LIMIT_KEYS, err);
    return status ? status : write_key(path, card, err);
}

enum status api_keys_create(const char *data, const struct key_request *request,
                            struct key_card *card, char secret[SECRET_BYTES], struct error *err) {
    int guard = -1; /* two that make the same name at once */
    secret_make(secret);
    fill_card(card, request, secret);
    enum status status = file_make_dirs(data, err);
    if (!status)
        status = guard_take(&guard, data, err);
    if (!status)
        status = add_key(data, card, err);
    guard_give(&guard);
    return status;
}

static enum status find_key(char path[FILE_PATH_BYTES], const char *data, const char *name,
                            struct error *err) {
    enum status status = key_path(path, data, name, err);
    if (!status && !file_exists(path))
        status = error_set(err, STATUS_NOT_FOUND, "there is no key %s", name);
    return status;
}

/* Asked under the guard: what the request was let in for may be over by now. */
static enum status check_still_admin(const char *data, const char *by, struct error *err) {
    struct key_card card;
    if (!by[0] || (read_key(&card, data, by, NULL) == STATUS_OK &&
                   key_roles_allow(key_roles(&card.roles), KEY_ROLE_ADMIN)))
        return STATUS_OK;
    return error_set(err, STATUS_CONFLICT, "key %s, which asks for it, is no admin's any more", by);
}

enum status api_keys_edit(const char *data, const char *by, const char *name,
                          const struct key_edit *edit, struct key_card *card, struct error *err) {
    char path[FILE_PATH_BYTES];
    int guard;
    if (!key_name_is_valid(name))
        return error_set(err, STATUS_NOT_FOUND, "there is no key %s", name);
    enum status status = guard_take(&guard, data, err);
    if (!status)
        status = check_still_admin(data, by, err);
    if (!status)
        status = find_key(path, data, name, err);
    if (!status)
        status = read_key(card, data, name, err);
    if (!status) {
        key_edit_apply(edit, card);
        status = write_key(path, card, err);
    }
    guard_give(&guard);
    return status;
}

enum status api_keys_remove(const char *data, const char *by, const char *name, struct error *err) {
    char folder[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
    int guard;
    if (!key_name_is_valid(name))
        return error_set(err, STATUS_NOT_FOUND, "there is no key %s", name);
    enum status status = guard_take(&guard, data, err);
    if (!status)
        status = check_still_admin(data, by, err);
    if (!status)
        status = folder_path(folder, data, CONFIG_KEYS_FOLDER, NULL, err);
    if (!status)
        status = find_key(path, data, name, err);
    if (!status)
        status = file_remove_all(path, err);
    if (!status)
        status = folder_sync(folder, err);
    guard_give(&guard);
    return status;
}
