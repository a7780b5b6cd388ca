#include "engine/spec/fields.h"

static const char *const json_types[] = {
    [FIELD_INT] = "integer",  [FIELD_FLOAT] = "number", [FIELD_BOOL] = "boolean",
    [FIELD_TEXT] = "string",  [FIELD_ENUM] = "string",  [FIELD_INTS] = "integer",
    [FIELD_TEXTS] = "string",
};

static bool is_list(const struct field *field) {
    return field->type == FIELD_INTS || field->type == FIELD_TEXTS;
}

/* Answers show what was not given as null. */
static bool is_nullable(const struct field *field) {
    bool has_default = field->fallback && field->fallback[0];
    return (field->type == FIELD_FLOAT || field->type == FIELD_TEXT) && !has_default &&
           !(field->flags & FIELD_REQUIRED);
}

static void add_limit(struct str *out, const char *key, double value) {
    str_add_double(str_json_key(out, key), value);
}

static void add_choices(const struct field *field, struct str *out) {
    str_add(str_json_key(out, "enum"), "[");
    for (int i = 0; field->choices[i]; i++)
        str_add_json(str_json_item(out), field->choices[i]);
    str_add(out, "]");
}

static void add_lengths(const struct field *field, struct str *out) {
    if (field->min > 0)
        add_limit(out, "minLength", field->min);
    add_limit(out, "maxLength", field->max);
    str_add(out, ",\"pattern\":\"^[^\\\\x00-\\\\x1F\\\\x7F]*$\""); /* no control characters */
}

static void add_bounds(const struct field *field, struct str *out) {
    add_limit(out, field->flags & FIELD_MIN_OPEN ? "exclusiveMinimum" : "minimum", field->min);
    add_limit(out, field->flags & FIELD_MAX_OPEN ? "exclusiveMaximum" : "maximum", field->max);
}

/* What a type says about its values; none: nothing. */
static void (*const add_range[])(const struct field *field, struct str *out) = {
    [FIELD_INT] = add_bounds,    [FIELD_FLOAT] = add_bounds, [FIELD_BOOL] = NULL,
    [FIELD_TEXT] = add_lengths,  [FIELD_ENUM] = add_choices, [FIELD_INTS] = add_bounds,
    [FIELD_TEXTS] = add_lengths,
};

static void add_default(const struct field *field, const void *defaults, struct str *out) {
    if (!is_list(field) && !(field->fallback && field->fallback[0]))
        return;
    field_add_json(field, defaults, str_json_key(out, "default"));
}

static void add_property(const struct field *field, const void *defaults, struct str *out) {
    str_add(str_json_key(out, field->name),
            is_list(field) ? "{\"type\":\"array\",\"items\":{\"type\":" : "{\"type\":");
    str_addf(out, is_nullable(field) ? "[\"%s\",\"null\"]" : "\"%s\"", json_types[field->type]);
    if (add_range[field->type])
        add_range[field->type](field, out);
    if (is_list(field))
        str_addf(out, "},\"maxItems\":%d", FIELD_LIST_MAX);
    add_default(field, defaults, out);
    str_add_json(str_json_key(out, "description"), field->doc);
    str_add(out, "}");
}

static void add_required(const struct field_table *table, unsigned hidden, struct str *out) {
    str_add(out, ",\"required\":[");
    for (int i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (field->flags & FIELD_REQUIRED && !field->variants && !(field->flags & hidden))
            str_add_json(str_json_item(out), field->name);
    }
    str_add(out, "]");
}

/* "if": the first row has one of the values with which the field is there, or by default has. */
static void add_condition(const struct field_table *table, const struct field *field,
                          const void *defaults, struct str *out) {
    const struct field *kind = &table->fields[0];
    str_addf(out, "{\"if\":{\"properties\":{\"%s\":{\"enum\":[", kind->name);
    for (int i = 0; kind->choices[i]; i++)
        if (field->variants >> i & 1)
            str_add_json(str_json_item(out), kind->choices[i]);
    str_add(out, "]}}");
    if (!field_applies(table, field, defaults))
        str_addf(out, ",\"required\":[\"%s\"]", kind->name);
    str_addf(out, "},\"then\":{\"required\":[\"%s\"]}}", field->name);
}

static void add_conditions(const struct field_table *table, const void *defaults, unsigned hidden,
                           struct str *out) {
    bool any = false;
    for (int i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (!(field->flags & FIELD_REQUIRED) || !field->variants || field->flags & hidden)
            continue;
        str_add(out, any ? "," : ",\"allOf\":[");
        add_condition(table, field, defaults, out);
        any = true;
    }
    str_add(out, any ? "]" : "");
}

void fields_add_schema(const struct field_table *table, const void *defaults, unsigned hidden,
                       struct str *out) {
    str_add(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":");
    str_add_json(out, table->what);
    str_add(out, ",\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (int i = 0; i < table->count; i++)
        if (!(table->fields[i].flags & hidden))
            add_property(&table->fields[i], defaults, out);
    str_add(out, "}");
    add_required(table, hidden, out);
    add_conditions(table, defaults, hidden, out);
    str_add(out, "}");
}
