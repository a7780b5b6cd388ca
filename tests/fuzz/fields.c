/*
 * fields_parse_args: arguments a line each, as of the command line and as of a job. A spec it
 * accepts prints as text and as JSON that read back the same. A value that is JSON goes through the
 * typed setters too, as it would in a request.
 */
#include "tests/fuzz/fuzz.h"

#include "engine/base/json.h"
#include "engine/base/utf8.h"
#include "engine/spec/train_spec.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_ARGUMENTS = 64 };

static const struct field_table *const table = &train_spec_table;

/* ---- values from JSON ---- */

static enum status set_number(const struct field *field, void *object, const struct json *value,
                              struct error *err) {
    return value->is_integer ? field_set_int(field, object, value->integer, err)
                             : field_set_double(field, object, value->number, err);
}

static enum status set_bool(const struct field *field, void *object, const struct json *value,
                            struct error *err) {
    return field_set_bool(field, object, value->boolean, err);
}

static enum status set_string(const struct field *field, void *object, const struct json *value,
                              struct error *err) {
    return field_set_string(field, object, value->string, err);
}

static enum status set_list(const struct field *field, void *object, const struct json *value,
                            struct error *err) {
    enum status status = STATUS_OK;
    if (field->type != FIELD_INTS && field->type != FIELD_TEXTS)
        return field_refuse_type(field, "a list", err);
    field_clear(field, object);
    for (const struct json *item = value->child; item && !status; item = item->next)
        status = item->type == JSON_STRING
                     ? field_append_string(field, object, item->string, err)
                     : field_append_int(field, object, json_integer_or(item, -1), err);
    return status;
}

static enum status set_null(const struct field *field, void *object, const struct json *value,
                            struct error *err) {
    (void)value;
    if (field->type != FIELD_FLOAT && field->type != FIELD_TEXT)
        return field_refuse_type(field, "null", err);
    field_clear(field, object);
    return STATUS_OK;
}

static enum status refuse_object(const struct field *field, void *object, const struct json *value,
                                 struct error *err) {
    (void)object, (void)value;
    return field_refuse_type(field, "an object", err);
}

static enum status set_json(const struct field *field, void *object, const struct json *value,
                            struct error *err) {
    static enum status (*const setters[])(const struct field *, void *, const struct json *,
                                          struct error *) = {
        [JSON_NULL] = set_null,     [JSON_BOOL] = set_bool,  [JSON_NUMBER] = set_number,
        [JSON_STRING] = set_string, [JSON_ARRAY] = set_list, [JSON_OBJECT] = refuse_object,
    };
    return setters[value->type](field, object, value, err);
}

/* ---- what holds of a field ---- */

static bool same(const struct field *field, const struct train_spec *a,
                 const struct train_spec *b) {
    struct str left = STR_INIT, right = STR_INIT;
    field_add_json(field, a, &left);
    field_add_json(field, b, &right);
    bool equal = str_equal(str_text(&left), str_text(&right));
    str_release(&left);
    str_release(&right);
    return equal;
}

/* Text for "not given" is none. */
static void check_text(const struct field *field, const struct train_spec *spec) {
    struct train_spec copy;
    struct str text = STR_INIT;
    if (!field_is_given(field, spec))
        return;
    fields_default(table, &copy);
    field_add_text(field, spec, &text);
    CHECK(field_set_text(field, &copy, str_text(&text), NULL) == STATUS_OK);
    CHECK(same(field, spec, &copy));
    str_release(&text);
}

/* The command line takes bytes that are no UTF-8, JSON shows others in their place. */
static void check_json(const struct field *field, const struct train_spec *spec) {
    struct train_spec copy;
    struct str text = STR_INIT;
    struct arena arena = {0};
    const struct json *value;
    struct error err = {0};
    fields_default(table, &copy);
    field_add_json(field, spec, &text);
    CHECK(json_parse(&arena, str_text(&text), text.len, &value, NULL) == STATUS_OK);
    CHECK(set_json(field, &copy, value, &err) == STATUS_OK && same(field, spec, &copy));
    arena_release(&arena);
    str_release(&text);
}

static void check_variant(const struct field *field, const struct train_spec *spec) {
    struct error err = {0};
    if (field_applies(table, field, spec))
        return;
    CHECK(field_refuse_variant(table, field, spec, &err) == STATUS_INVALID);
    CHECK(str_equal(err.field, field->name));
}

/* A value that is refused leaves what was there, but for a list, which is filled item by item. */
static void check_value(const struct field *field, const struct json *value) {
    struct train_spec spec, before;
    struct error err = {0};
    fields_default(table, &spec);
    before = spec;
    if (set_json(field, &spec, value, &err) == STATUS_OK) {
        check_json(field, &spec);
        return;
    }
    CHECK(err.message[0] && str_equal(err.field, field->name));
    CHECK(value->type == JSON_ARRAY || same(field, &spec, &before));
}

/* ---- arguments ---- */

static void check_values(int argc, char *const *argv) {
    for (int i = 0; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        struct arena arena = {0};
        const struct json *value;
        if (!equals)
            continue;
        *equals = 0;
        const struct field *field = field_find(table, argv[i]);
        if (field && !json_parse(&arena, equals + 1, strlen(equals + 1), &value, NULL))
            check_value(field, value);
        arena_release(&arena);
        *equals = '=';
    }
}

static void check_spec(const struct train_spec *spec, bool is_utf8) {
    struct str text = STR_INIT;
    struct arena arena = {0};
    const struct json *tree;
    for (int i = 0; i < table->count; i++) {
        check_text(&table->fields[i], spec);
        check_variant(&table->fields[i], spec);
        if (is_utf8)
            check_json(&table->fields[i], spec);
    }
    train_spec_add_json(spec, &text);
    CHECK(json_parse(&arena, str_text(&text), text.len, &tree, NULL) == STATUS_OK);
    CHECK(json_member(tree, table->fields[0].name));
    arena_release(&arena);
    str_release(&text);
}

static void check_arguments(int argc, char *const *argv, unsigned refused, bool is_utf8) {
    struct train_spec spec;
    struct error err = {0};
    fields_default(table, &spec);
    enum status status = fields_parse_args(table, &spec, argc, argv, refused, &err);
    if (status == STATUS_OK)
        check_spec(&spec, is_utf8);
    if (status == STATUS_OK)
        status = train_spec_finish(&spec, &err);
    CHECK(status == STATUS_OK || (status == STATUS_INVALID && err.message[0]));
    if (status == STATUS_OK)
        check_spec(&spec, is_utf8);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    char *text = xmalloc(len + 1), *argv[MOST_ARGUMENTS];
    bool is_utf8 = utf8_is_valid((const char *)bytes, len);
    int argc = 0;
    memcpy(text, bytes, len);
    text[len] = 0;
    for (char *line = text; line && argc < MOST_ARGUMENTS;) {
        char *end = strchr(line, '\n');
        argv[argc++] = line;
        line = end ? end + 1 : NULL;
        if (end)
            *end = 0;
    }
    check_arguments(argc, argv, FIELD_JOB, is_utf8);
    check_arguments(argc, argv, FIELD_CLI, is_utf8);
    check_values(argc, argv);
    free(text);
    return 0;
}
