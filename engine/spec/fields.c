#include "engine/spec/fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Above this, a double does not hold every whole number. */
static const double exact_limit = 9007199254740992.0;

enum { SHOWN_VALUE_BYTES = 80 };

static const char *const type_words[] = {
    [FIELD_INT] = "a whole number",    [FIELD_FLOAT] = "a number",
    [FIELD_BOOL] = "true or false",    [FIELD_TEXT] = "a text",
    [FIELD_ENUM] = "a text",           [FIELD_INTS] = "a list of whole numbers",
    [FIELD_TEXTS] = "a list of texts",
};

static void *place(const struct field *field, void *object) {
    return (char *)object + field->offset;
}

static const void *const_place(const struct field *field, const void *object) {
    return (const char *)object + field->offset;
}

const struct field *field_find(const struct field_table *table, const char *name) {
    for (int i = 0; i < table->count; i++)
        if (str_equal(table->fields[i].name, name))
            return &table->fields[i];
    return NULL;
}

/* ---- what is wrong ---- */

typedef enum status fail_fn(const struct field *field, const char *value, struct error *err);

static enum status fail_range(const struct field *field, const char *value, struct error *err) {
    struct str range = STR_INIT;
    field_add_range(field, &range);
    enum status status = error_set_field(err, STATUS_INVALID, field->name, "%s must be %s, not %s",
                                         field->name, str_text(&range), value);
    str_release(&range);
    return status;
}

enum status field_refuse_type(const struct field *field, const char *value, struct error *err) {
    struct str range = STR_INIT;
    if (field->type != FIELD_BOOL)
        field_add_range(field, &range);
    enum status status =
        error_set_field(err, STATUS_INVALID, field->name, "%s must be %s%s%s%s, not %s",
                        field->name, type_words[field->type], range.len ? " (" : "",
                        str_text(&range), range.len ? ")" : "", value);
    str_release(&range);
    return status;
}

/* A value for a message: quoted, and cut when long. */
static void show_text(const char *text, struct str *out) {
    char cut[SHOWN_VALUE_BYTES];
    bool whole = str_copy(cut, sizeof cut, text);
    str_add_json(out, cut);
    if (!whole)
        str_add(out, "...");
}

static enum status fail_text(fail_fn *fail, const struct field *field, const char *text,
                             struct error *err) {
    struct str shown = STR_INIT;
    show_text(text, &shown);
    enum status status = fail(field, str_text(&shown), err);
    str_release(&shown);
    return status;
}

static enum status fail_int(fail_fn *fail, const struct field *field, int64_t value,
                            struct error *err) {
    char shown[24];
    snprintf(shown, sizeof shown, "%lld", (long long)value);
    return fail(field, shown, err);
}

static enum status fail_double(const struct field *field, double value, struct error *err) {
    struct str shown = STR_INIT;
    if (isfinite(value))
        str_add_double(&shown, value);
    else
        str_add(&shown, isnan(value) ? "nan" : "infinity");
    enum status status = field->type == FIELD_FLOAT
                             ? fail_range(field, str_text(&shown), err)
                             : field_refuse_type(field, str_text(&shown), err);
    str_release(&shown);
    return status;
}

/* ---- checks ---- */

static bool number_in_range(const struct field *field, double value) {
    bool above = field->flags & FIELD_MIN_OPEN ? value > field->min : value >= field->min;
    bool below = field->flags & FIELD_MAX_OPEN ? value < field->max : value <= field->max;
    return above && below;
}

static enum status check_int(const struct field *field, int64_t value, struct error *err) {
    if (number_in_range(field, (double)value))
        return STATUS_OK;
    return fail_int(fail_range, field, value, err);
}

/* Characters of UTF-8 text, which is what a client counts. */
static size_t count_characters(const char *text) {
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static bool has_control(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return true;
    return false;
}

static enum status check_text(const struct field *field, const char *text, size_t size,
                              struct error *err) {
    if (has_control(text))
        return error_set_field(err, STATUS_INVALID, field->name,
                               "%s must not contain control characters", field->name);
    if (strlen(text) < size && number_in_range(field, (double)count_characters(text)))
        return STATUS_OK;
    return fail_text(fail_range, field, text, err);
}

/* ---- setting ---- */

enum status field_set_int(const struct field *field, void *object, int64_t value,
                          struct error *err) {
    if (field->type == FIELD_FLOAT)
        return field_set_double(field, object, (double)value, err);
    if (field->type != FIELD_INT)
        return fail_int(field_refuse_type, field, value, err);
    enum status status = check_int(field, value, err);
    if (!status)
        *(int64_t *)place(field, object) = value;
    return status;
}

enum status field_set_double(const struct field *field, void *object, double value,
                             struct error *err) {
    bool whole = value == floor(value) && fabs(value) < exact_limit;
    if (field->type == FIELD_INT && whole)
        return field_set_int(field, object, (int64_t)value, err);
    if (field->type != FIELD_FLOAT || !isfinite(value) || !number_in_range(field, value))
        return fail_double(field, value, err);
    *(double *)place(field, object) = value == 0 ? 0 : value; /* -0 would print otherwise */
    return STATUS_OK;
}

enum status field_set_bool(const struct field *field, void *object, bool value, struct error *err) {
    if (field->type != FIELD_BOOL)
        return field_refuse_type(field, value ? "true" : "false", err);
    *(bool *)place(field, object) = value;
    return STATUS_OK;
}

enum status field_set_string(const struct field *field, void *object, const char *value,
                             struct error *err) {
    if (field->type == FIELD_ENUM) {
        int index = str_index(field->choices, value);
        if (index < 0)
            return fail_text(fail_range, field, value, err);
        *(int *)place(field, object) = index;
        return STATUS_OK;
    }
    if (field->type != FIELD_TEXT)
        return fail_text(field_refuse_type, field, value, err);
    enum status status = check_text(field, value, field->size, err);
    if (!status)
        str_copy(place(field, object), field->size, value);
    return status;
}

static enum status fail_full(const struct field *field, struct error *err) {
    return error_set_field(err, STATUS_INVALID, field->name, "%s has more than %d items",
                           field->name, FIELD_LIST_MAX);
}

enum status field_append_int(const struct field *field, void *object, int64_t value,
                             struct error *err) {
    if (field->type != FIELD_INTS)
        return fail_int(field_refuse_type, field, value, err);
    struct int_list *list = place(field, object);
    enum status status = check_int(field, value, err);
    if (status)
        return status;
    if (list->count == FIELD_LIST_MAX)
        return fail_full(field, err);
    list->item[list->count++] = value;
    return STATUS_OK;
}

enum status field_append_string(const struct field *field, void *object, const char *value,
                                struct error *err) {
    if (field->type != FIELD_TEXTS)
        return fail_text(field_refuse_type, field, value, err);
    struct text_list *list = place(field, object);
    enum status status = check_text(field, value, FIELD_TEXT_BYTES, err);
    if (status)
        return status;
    if (list->count == FIELD_LIST_MAX)
        return fail_full(field, err);
    str_copy(list->item[list->count++], FIELD_TEXT_BYTES, value);
    return STATUS_OK;
}

void field_clear(const struct field *field, void *object) {
    memset(place(field, object), 0, field->size);
    if (field->type == FIELD_FLOAT)
        *(double *)place(field, object) = NAN;
}

void fields_default(const struct field_table *table, void *object) {
    for (int i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        field_clear(field, object);
        if (field->fallback && *field->fallback)
            CHECK(field_set_text(field, object, field->fallback, NULL) == STATUS_OK);
    }
}

/* ---- from text ---- */

static enum status set_text_int(const struct field *field, void *object, const char *text,
                                struct error *err) {
    int64_t value;
    if (!str_parse_i64(text, &value))
        return fail_text(field_refuse_type, field, text, err);
    return field_set_int(field, object, value, err);
}

static enum status set_text_float(const struct field *field, void *object, const char *text,
                                  struct error *err) {
    double value;
    if (!str_parse_double(text, &value))
        return fail_text(field_refuse_type, field, text, err);
    return field_set_double(field, object, value, err);
}

static enum status set_text_bool(const struct field *field, void *object, const char *text,
                                 struct error *err) {
    bool yes = str_equal(text, "1") || str_equal(text, "true");
    if (!yes && !str_equal(text, "0") && !str_equal(text, "false"))
        return fail_text(field_refuse_type, field, text, err);
    return field_set_bool(field, object, yes, err);
}

static enum status append_text(const struct field *field, void *object, const char *item,
                               struct error *err) {
    int64_t value;
    if (field->type == FIELD_TEXTS)
        return field_append_string(field, object, item, err);
    if (!str_parse_i64(item, &value))
        return fail_text(field_refuse_type, field, item, err);
    return field_append_int(field, object, value, err);
}

/* Items between commas, no text at all for none. The old list stays if an item is wrong. */
static enum status set_text_list(const struct field *field, void *object, const char *text,
                                 struct error *err) {
    union {
        struct int_list ints;
        struct text_list texts;
    } list = {.texts = {0}};
    struct field local = *field;
    local.offset = 0;
    for (const char *at = text; *text && at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        char item[2 * FIELD_TEXT_BYTES];
        size_t len = strcspn(at, ",");
        if (len >= sizeof item)
            return fail_text(fail_range, field, at, err);
        memcpy(item, at, len);
        item[len] = '\0';
        enum status status = append_text(&local, &list, item, err);
        if (status)
            return status;
    }
    memcpy(place(field, object), &list, field->size);
    return STATUS_OK;
}

enum status field_set_text(const struct field *field, void *object, const char *text,
                           struct error *err) {
    static enum status (*const setters[])(const struct field *, void *, const char *,
                                          struct error *) = {
        [FIELD_INT] = set_text_int,      [FIELD_FLOAT] = set_text_float,
        [FIELD_BOOL] = set_text_bool,    [FIELD_TEXT] = field_set_string,
        [FIELD_ENUM] = field_set_string, [FIELD_INTS] = set_text_list,
        [FIELD_TEXTS] = set_text_list,
    };
    return setters[field->type](field, object, text, err);
}

/* ---- to text ---- */

bool field_is_given(const struct field *field, const void *object) {
    const void *at = const_place(field, object);
    if (field->type == FIELD_FLOAT)
        return !isnan(*(const double *)at);
    if (field->type == FIELD_TEXT)
        return *(const char *)at != '\0';
    if (field->type == FIELD_INTS)
        return ((const struct int_list *)at)->count > 0;
    if (field->type == FIELD_TEXTS)
        return ((const struct text_list *)at)->count > 0;
    return true;
}

/* ---- variants ---- */

static int variant_of(const struct field_table *table, const void *object) {
    return *(const int *)const_place(&table->fields[0], object);
}

bool field_applies(const struct field_table *table, const struct field *field, const void *object) {
    return !field->variants || field->variants >> variant_of(table, object) & 1;
}

enum status field_refuse_variant(const struct field_table *table, const struct field *field,
                                 const void *object, struct error *err) {
    struct str variant = STR_INIT;
    field_add_text(&table->fields[0], object, &variant);
    enum status status = error_set_field(err, STATUS_INVALID, field->name, "%s is not for %s %s",
                                         field->name, table->fields[0].name, str_text(&variant));
    str_release(&variant);
    return status;
}

enum status field_check_required(const struct field_table *table, const struct field *field,
                                 const void *object, struct error *err) {
    if (!(field->flags & FIELD_REQUIRED) || field_is_given(field, object) ||
        !field_applies(table, field, object))
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, field->name, "%s is required", field->name);
}

enum status fields_check_required(const struct field_table *table, const void *object,
                                  struct error *err) {
    enum status status = STATUS_OK;
    for (int i = 0; i < table->count && !status; i++)
        status = field_check_required(table, &table->fields[i], object, err);
    return status;
}

static void add_ints(const struct int_list *list, struct str *out) {
    for (int i = 0; i < list->count; i++)
        str_addf(out, "%s%lld", i ? "," : "", (long long)list->item[i]);
}

void field_add_text(const struct field *field, const void *object, struct str *out) {
    const void *at = const_place(field, object);
    if (field->type == FIELD_INT)
        str_addf(out, "%lld", (long long)*(const int64_t *)at);
    else if (field->type == FIELD_FLOAT && field_is_given(field, object))
        str_add_double(out, *(const double *)at);
    else if (field->type == FIELD_BOOL)
        str_add(out, *(const bool *)at ? "true" : "false");
    else if (field->type == FIELD_TEXT)
        str_add(out, at);
    else if (field->type == FIELD_ENUM)
        str_add(out, field->choices[*(const int *)at]);
    else if (field->type == FIELD_INTS)
        add_ints(at, out);
    else if (field->type == FIELD_TEXTS)
        for (int i = 0; i < ((const struct text_list *)at)->count; i++)
            str_addf(out, "%s%s", i ? "," : "", ((const struct text_list *)at)->item[i]);
}

static void add_json_texts(const struct text_list *list, struct str *out) {
    str_add(out, "[");
    for (int i = 0; i < list->count; i++)
        str_add_json(str_json_item(out), list->item[i]);
    str_add(out, "]");
}

void field_add_json(const struct field *field, const void *object, struct str *out) {
    const void *at = const_place(field, object);
    bool quoted = field->type == FIELD_ENUM, list = field->type == FIELD_INTS;
    if (field->type == FIELD_TEXTS)
        add_json_texts(at, out);
    else if (!list && !field_is_given(field, object))
        str_add(out, "null");
    else if (field->type == FIELD_TEXT)
        str_add_json(out, at);
    else {
        str_add(out, quoted ? "\"" : list ? "[" : "");
        field_add_text(field, object, out);
        str_add(out, quoted ? "\"" : list ? "]" : "");
    }
}

/* A text that a request cannot give may be filled in from elsewhere. */
static bool is_shown(const struct field_table *table, const struct field *field,
                     const void *object) {
    return field_applies(table, field, object) ||
           (field->type == FIELD_TEXT && field_is_given(field, object));
}

void fields_add_open(const struct field_table *table, const void *object, unsigned hidden,
                     struct str *out) {
    str_add(out, "{");
    for (int i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (!(field->flags & hidden) && is_shown(table, field, object))
            field_add_json(field, object, str_json_key(out, field->name));
    }
}

void fields_add_json(const struct field_table *table, const void *object, unsigned hidden,
                     struct str *out) {
    fields_add_open(table, object, hidden, out);
    str_add(out, "}");
}
