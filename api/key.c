#include "api/key.h"

#include "api/cards.h"
#include "api/codec.h"
#include "api/json_internal.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- roles ---- */

static const char *const role_slugs[] = {"none",
#define SLUG(name, slug, doc) slug,
                                         KEY_ROLE_MAP(SLUG)
#undef SLUG
                                             NULL};
#define WORD(name, slug, doc) " " slug
#define ROLE_RANGE "a list of one or more of" KEY_ROLE_MAP(WORD)

const char *key_role_slug(enum key_role role) {
    return role_slugs[role];
}

static enum key_role parse_role(const char *slug) {
    int role = str_index(role_slugs, slug);
    return role < 0 ? KEY_ROLE_NONE : (enum key_role)role;
}

static unsigned bit_of(enum key_role role) {
    return role == KEY_ROLE_NONE ? 0 : 1u << role;
}

unsigned key_roles(const struct text_list *roles) {
    unsigned set = 0;
    for (int i = 0; i < roles->count; i++)
        set |= bit_of(parse_role(roles->item[i]));
    return set;
}

bool key_roles_allow(unsigned roles, enum key_role asked) {
    return asked == KEY_ROLE_NONE || roles & (bit_of(asked) | bit_of(KEY_ROLE_ADMIN));
}

/* ---- cards ---- */

#define LIMIT(structure, member)                                                                   \
    .name = #member, .offset = offsetof(structure, limits.member),                                 \
    .size = sizeof(((structure *)NULL)->limits.member), .fallback = "0"
#define LIMIT_ROWS(structure)                                                                      \
    {LIMIT(structure, requests_per_s), .type = FIELD_FLOAT, .max = 1e6,                            \
     .doc = "Requests that it may send in a second; 0: as the setting says."},                     \
        {LIMIT(structure, requests_burst), .type = FIELD_INT, .max = 1e6,                          \
         .doc = "Requests that it may send at once; 0: as the setting says."},                     \
    {                                                                                              \
        LIMIT(structure, active_jobs),                                                             \
            .type = FIELD_INT, .max = 1e6,                                                         \
            .doc = "Its jobs that may be queued, running or paused; 0: as the setting says."       \
    }

#define ROW(member) FIELD_MEMBER(struct key_card, member)
static const struct field card_rows[] = {
    {ROW(name), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = KEY_NAME_BYTES - 1,
     .doc = "Name of the key."},
    {ROW(roles), .type = FIELD_TEXTS, .min = 1, .max = FIELD_TEXT_BYTES - 1,
     .doc = "What its holder may do."},
    {ROW(created), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1,
     .max = CLOCK_TEXT_BYTES - 1, .doc = "When it was made."},
    {ROW(sha256), .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_HIDDEN,
     .min = SHA256_HEX_BYTES - 1, .max = SHA256_HEX_BYTES - 1, .doc = "SHA-256 of its secret."},
    LIMIT_ROWS(struct key_card),
};
#undef ROW
const struct field_table key_card_table = FIELD_TABLE("key", card_rows);

void key_card_add_json(const struct key_card *card, struct str *out) {
    fields_add_json(&key_card_table, card, FIELD_HIDDEN, out);
}

void key_card_add_stored(const struct key_card *card, struct str *out) {
    fields_add_json(&key_card_table, card, 0, out);
}

enum status key_card_decode(struct key_card *card, const char *text, size_t len,
                            struct error *err) {
    return fields_decode_stored(&key_card_table, card, text, len, err);
}

/* ---- requests ---- */

#define ROW(member) FIELD_MEMBER(struct key_request, member)
static const struct field request_rows[] = {
    {ROW(name), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = KEY_NAME_BYTES - 1,
     .doc = "Name of the key: lower-case letters, digits, _, . and -, not first . or -."},
    {ROW(roles), .type = FIELD_TEXTS, .flags = FIELD_REQUIRED, .min = 1,
     .max = FIELD_TEXT_BYTES - 1,
     .doc = "What its holder may do: any of read, predict, submit and admin, which may all."},
    LIMIT_ROWS(struct key_request),
};
#undef ROW
const struct field_table key_request_table = FIELD_TABLE("key", request_rows);

bool key_name_is_valid(const char *name) {
    return dataset_name_is_valid(name);
}

static bool all_are_roles(const struct text_list *roles) {
    for (int i = 0; i < roles->count; i++)
        if (parse_role(roles->item[i]) == KEY_ROLE_NONE)
            return false;
    return true;
}

static void refuse(const struct field_table *table, const void *request, const char *field,
                   const char *range, struct field_errors *errors) {
    char detail[ERROR_MESSAGE_BYTES];
    struct str value = STR_INIT;
    field_add_json(field_find(table, field), request, &value);
    snprintf(detail, sizeof detail, "%s must be %s", field, range);
    field_errors_add(errors, field, str_text(&value), detail, range);
    str_release(&value);
}

enum status key_request_check(const struct key_request *request, struct field_errors *errors,
                              struct error *err) {
    if (!key_name_is_valid(request->name))
        refuse(&key_request_table, request, "name", KEY_NAME_RANGE, errors);
    if (!request->roles.count || !all_are_roles(&request->roles))
        refuse(&key_request_table, request, "roles", ROLE_RANGE, errors);
    return field_errors_status(errors, err);
}

enum status key_request_decode(struct key_request *request, const char *text, size_t len,
                               struct field_errors *errors, struct error *err) {
    enum status status = fields_decode(&key_request_table, request, text, len, errors, err);
    return status ? status : key_request_check(request, errors, err);
}

/* ---- changes ---- */

#define ROW(member) FIELD_MEMBER(struct key_edit, member)
static const struct field edit_rows[] = {
    {ROW(roles), .type = FIELD_TEXTS, .min = 1, .max = FIELD_TEXT_BYTES - 1,
     .doc = "What its holder may do, instead of what it may; none: nothing."},
    LIMIT_ROWS(struct key_edit),
};
#undef ROW
const struct field_table key_edit_table = FIELD_TABLE("key", edit_rows);

enum status key_edit_decode(struct key_edit *edit, const char *text, size_t len,
                            struct field_errors *errors, struct error *err) {
    json_t *root = NULL;
    *edit = (struct key_edit){.given = 0};
    enum status status = json_read(&root, text, len, err);
    if (status)
        return status;
    json_read_fields(&key_edit_table, edit, 0, true, root, errors);
    for (int i = 0; i < key_edit_table.count; i++)
        if (json_object_get(root, edit_rows[i].name))
            edit->given |= 1u << i;
    json_decref(root);
    if (!errors->count && !all_are_roles(&edit->roles))
        refuse(&key_edit_table, edit, "roles", ROLE_RANGE, errors);
    return field_errors_status(errors, err);
}

void key_edit_apply(const struct key_edit *edit, struct key_card *card) {
    for (int i = 0; i < key_edit_table.count; i++) {
        const struct field *from = &edit_rows[i], *to = field_find(&key_card_table, from->name);
        if (edit->given & 1u << i)
            memcpy((char *)card + to->offset, (const char *)edit + from->offset, to->size);
    }
}

bool key_edit_ends_admin(const struct key_edit *edit) {
    return edit->given & 1 && !key_roles_allow(key_roles(&edit->roles), KEY_ROLE_ADMIN);
}
