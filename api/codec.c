#include "api/codec.h"

#include "api/json_internal.h"
#include "api/limits.h"

#include <math.h>
#include <string.h>

void codec_init(void) {
    json_object_seed(0); /* 0: from the system's entropy */
}

/* ---- text to tree ---- */

/* Jansson parses 2048 levels deep; nothing here needs more than a few. */
static bool too_deep(const char *text, size_t len) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len && depth <= LIMIT_JSON_DEPTH; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += (text[i] == '{' || text[i] == '[') - (text[i] == '}' || text[i] == ']');
    }
    return depth > LIMIT_JSON_DEPTH;
}

enum status json_read(json_t **root, const char *text, size_t len, struct error *err) {
    json_error_t where;
    if (!len)
        return error_set(err, STATUS_INVALID, "the body is empty, a JSON object is expected");
    if (too_deep(text, len))
        return error_set(err, STATUS_INVALID, "JSON is nested more than %d levels deep",
                         LIMIT_JSON_DEPTH);
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    /* a whole number beyond 64 bits is a field out of range, not bad syntax: read on */
    if (!value && json_error_code(&where) == json_error_numeric_overflow)
        value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &where);
    if (!value)
        return error_set(err, STATUS_INVALID, "not valid JSON: line %d, column %d: %.200s",
                         where.line, where.column, where.text);
    if (!json_is_object(value)) {
        json_decref(value);
        return error_set(err, STATUS_INVALID, "not a JSON object");
    }
    *root = value;
    return STATUS_OK;
}

void json_show_text(const char *text, struct str *out) {
    char cut[56]; /* each byte may take six when escaped */
    if (!str_copy(cut, sizeof cut, text))
        memcpy(cut + sizeof cut - 4, "...", 4);
    str_add_json(out, cut);
}

void json_show(const json_t *value, struct str *out) {
    if (json_is_string(value)) {
        json_show_text(json_string_value(value), out);
        return;
    }
    if (json_is_real(value)) {
        str_add_double(out, json_real_value(value));
        return;
    }
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    if (text && strlen(text) < 64)
        str_add(out, text);
    else
        json_show_text(text ? text : "", out);
    free(text);
}

void json_add_text(struct str *out, const char *key, const char *text) {
    str_json_key(out, key);
    if (*text)
        str_add_json(out, text);
    else
        str_add(out, "null");
}

/* ---- tree to fields ---- */

static enum status refuse(const struct field *field, const json_t *value, struct error *err) {
    struct str shown = STR_INIT;
    json_show(value, &shown);
    enum status status = field_refuse_type(field, str_text(&shown), err);
    str_release(&shown);
    return status;
}

/* A number may come as 3 or as 3.0. */
static enum status append(const struct field *field, void *object, const json_t *value,
                          struct error *err) {
    double number = json_number_value(value);
    if (field->type == FIELD_TEXTS && json_is_string(value))
        return field_append_string(field, object, json_string_value(value), err);
    if (field->type == FIELD_INTS && json_is_integer(value))
        return field_append_int(field, object, json_integer_value(value), err);
    if (field->type == FIELD_INTS && json_is_real(value) && fabs(number) < 1e15 &&
        number == floor(number))
        return field_append_int(field, object, (int64_t)number, err);
    return refuse(field, value, err);
}

static enum status set_array(const struct field *field, void *object, const json_t *value,
                             struct error *err) {
    if (field->type != FIELD_INTS && field->type != FIELD_TEXTS)
        return refuse(field, value, err);
    field_clear(field, object);
    for (size_t i = 0; i < json_array_size(value); i++) {
        enum status status = append(field, object, json_array_get(value, i), err);
        if (status)
            return status;
    }
    return STATUS_OK;
}

static enum status set_null(const struct field *field, void *object, const json_t *value,
                            struct error *err) {
    bool has_default = field->fallback && *field->fallback;
    if (has_default || (field->type != FIELD_FLOAT && field->type != FIELD_TEXT))
        return refuse(field, value, err);
    field_clear(field, object);
    return STATUS_OK;
}

static enum status set_value(const struct field *field, void *object, const json_t *value,
                             struct error *err) {
    if (json_is_integer(value))
        return field_set_int(field, object, json_integer_value(value), err);
    if (json_is_real(value))
        return field_set_double(field, object, json_real_value(value), err);
    if (json_is_boolean(value))
        return field_set_bool(field, object, json_is_true(value), err);
    if (json_is_string(value))
        return field_set_string(field, object, json_string_value(value), err);
    if (json_is_array(value))
        return set_array(field, object, value, err);
    if (json_is_null(value))
        return set_null(field, object, value, err);
    return refuse(field, value, err);
}

static void collect(struct field_errors *errors, const struct field *field, const json_t *value,
                    const struct error *err) {
    struct str shown = STR_INIT, range = STR_INIT;
    json_show(value, &shown);
    if (field)
        field_add_range(field, &range);
    field_errors_add(errors, err->field, str_text(&shown), err->message, str_text(&range));
    str_release(&shown);
    str_release(&range);
}

static bool is_given(const json_t *root, const struct field *field) {
    const json_t *value = json_object_get(root, field->name);
    return value && !json_is_null(value);
}

static void refuse_rivals(const struct field_table *table, const json_t *root,
                          struct field_errors *errors) {
    for (int i = 1; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        struct error err = {0};
        if (!(field->flags & FIELD_OR_PREVIOUS) || !is_given(root, field) ||
            !is_given(root, field - 1))
            continue;
        if (field_refuse_both(field, field - 1, &err))
            collect(errors, field, json_object_get(root, field->name), &err);
    }
}

static bool is_blamed(const struct field_errors *errors, const char *name) {
    for (int i = 0; i < errors->count; i++)
        if (str_equal(errors->item[i].field, name))
            return true;
    return false;
}

/* No value of theirs would do. */
static void refuse_variants(const struct field_table *table, const json_t *root, const void *object,
                            struct field_errors *errors) {
    for (int i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        struct str shown = STR_INIT;
        struct error err = {0};
        if (!is_given(root, field) || field_applies(table, field, object) ||
            is_blamed(errors, field->name))
            continue;
        json_show(json_object_get(root, field->name), &shown);
        if (field_refuse_variant(table, field, object, &err))
            field_errors_add(errors, field->name, str_text(&shown), err.message, NULL);
        str_release(&shown);
    }
}

/* Those that were given wrongly have been told already. */
static void require_all(const struct field_table *table, const json_t *root, const void *object,
                        struct field_errors *errors) {
    for (int i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        struct error err = {0};
        if (!is_given(root, field) && field_check_required(table, field, object, &err))
            fields_blame(table, object, &err, errors);
    }
}

void json_read_fields(const struct field_table *table, void *object, unsigned refused, bool strict,
                      json_t *root, struct field_errors *errors) {
    fields_default(table, object);
    for (void *at = json_object_iter(root); at; at = json_object_iter_next(root, at)) {
        const struct field *field = NULL;
        const json_t *value = json_object_iter_value(at);
        struct error err = {0};
        enum status status = fields_lookup(table, json_object_iter_key(at), refused, &field, &err);
        if (!status)
            status = set_value(field, object, value, &err);
        if (status)
            collect(errors, field, value, &err);
    }
    if (!strict)
        return;
    refuse_rivals(table, root, errors);
    refuse_variants(table, root, object, errors);
    require_all(table, root, object, errors);
}

/* ---- requests and stored text ---- */

enum status fields_decode(const struct field_table *table, void *object, const char *text,
                          size_t len, struct field_errors *errors, struct error *err) {
    json_t *root = NULL;
    enum status status = json_read(&root, text, len, err);
    if (status)
        return status;
    json_read_fields(table, object, FIELD_CLI, true, root, errors);
    json_decref(root);
    return field_errors_status(errors, err);
}

enum status json_corrupt(const char *what, struct error *err) {
    char detail[ERROR_MESSAGE_BYTES];
    str_copy(detail, sizeof detail, err ? err->message : "");
    return error_set(err, STATUS_CORRUPT, "stored %s: %s", what, detail);
}

enum status fields_decode_stored(const struct field_table *table, void *object, const char *text,
                                 size_t len, struct error *err) {
    json_t *root = NULL;
    struct field_errors errors = {.count = 0};
    enum status status = json_read(&root, text, len, err);
    if (!status) {
        json_read_fields(table, object, 0, false, root, &errors);
        status = field_errors_status(&errors, err);
    }
    json_decref(root);
    return status ? json_corrupt(table->what, err) : STATUS_OK;
}

void fields_blame(const struct field_table *table, const void *object, const struct error *err,
                  struct field_errors *errors) {
    struct str shown = STR_INIT, range = STR_INIT;
    const struct field *field = field_find(table, err->field);
    if (field) {
        field_add_json(field, object, &shown);
        field_add_range(field, &range);
    }
    field_errors_add(errors, err->field, str_text(&shown), err->message, str_text(&range));
    str_release(&shown);
    str_release(&range);
}

enum status job_spec_decode(struct train_spec *spec, const char *text, size_t len,
                            struct field_errors *errors, struct error *err) {
    struct error detail = {0};
    enum status status = fields_decode(&train_spec_table, spec, text, len, errors, err);
    if (status)
        return status;
    if (train_spec_finish(spec, &detail) == STATUS_OK)
        return STATUS_OK;
    fields_blame(&train_spec_table, spec, &detail, errors);
    return field_errors_status(errors, err);
}

enum status job_spec_decode_stored(struct train_spec *spec, const char *text, size_t len,
                                   struct error *err) {
    enum status status = fields_decode_stored(&train_spec_table, spec, text, len, err);
    if (status)
        return status;
    return train_spec_finish(spec, err) ? json_corrupt("job", err) : STATUS_OK;
}
