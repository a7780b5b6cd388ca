/* The command line's side of a field table: ranges in words, help, and key=value arguments. */
#include "engine/spec/fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void add_bound(double value, struct str *out) {
    if (fabs(value) < 9.1e15 && value == floor(value))
        str_addf(out, "%lld", (long long)value);
    else
        str_add_double(out, value);
}

static void add_interval(const struct field *field, struct str *out) {
    bool open = field->flags & (FIELD_MIN_OPEN | FIELD_MAX_OPEN);
    if (isinf(field->max)) {
        str_add(out, field->flags & FIELD_MIN_OPEN ? "more than " : "at least ");
        add_bound(field->min, out);
        return;
    }
    if (field->type == FIELD_TEXT && field->min == 0) {
        str_add(out, "at most ");
        add_bound(field->max, out);
        return;
    }
    add_bound(field->min, out);
    str_add(out, !open ? " to " : field->flags & FIELD_MIN_OPEN ? " < x" : " <= x");
    if (open)
        str_add(out, field->flags & FIELD_MAX_OPEN ? " < " : " <= ");
    add_bound(field->max, out);
}

static void add_choices(const char *const *choices, struct str *out) {
    for (int i = 0; choices[i]; i++)
        str_addf(out, "%s%s", i ? ", " : "one of ", choices[i]);
}

void field_add_range(const struct field *field, struct str *out) {
    if (field->type == FIELD_BOOL) {
        str_add(out, "true or false");
        return;
    }
    if (field->type == FIELD_ENUM) {
        add_choices(field->choices, out);
        return;
    }
    if (field->type == FIELD_INTS || field->type == FIELD_TEXTS)
        str_addf(out, "at most %d items, each ", FIELD_LIST_MAX);
    add_interval(field, out);
    if (field->type == FIELD_TEXT || field->type == FIELD_TEXTS)
        str_add(out, " characters");
}

static void add_help(const struct field *field, bool required, struct str *out) {
    struct str range = STR_INIT;
    field_add_range(field, &range);
    str_addf(out, "  %-18s %s (", field->name, str_text(&range));
    if (required || field->flags & FIELD_REQUIRED)
        str_add(out, "required");
    else
        str_addf(out, "default %s", field->fallback ? field->fallback : "none");
    str_addf(out, ")\n%21s%s\n", "", field->doc);
    str_release(&range);
}

void fields_add_help(const struct field_table *table, unsigned hidden, const char *const *required,
                     struct str *out) {
    for (int i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (!(field->flags & hidden))
            add_help(field, required && str_index(required, field->name) >= 0, out);
    }
}

static const char *nearest_name(const struct field_table *table, const char *name,
                                unsigned refused) {
    const char *nearest = NULL;
    for (int i = 0; i < table->count; i++)
        if (!(table->fields[i].flags & refused))
            str_nearer(&nearest, name, table->fields[i].name);
    return nearest;
}

enum status fields_lookup(const struct field_table *table, const char *name, unsigned refused,
                          const struct field **field, struct error *err) {
    const struct field *found = field_find(table, name);
    if (found && !(found->flags & refused)) {
        *field = found;
        return STATUS_OK;
    }
    const char *nearest = nearest_name(table, name, refused);
    return error_set_field(err, STATUS_INVALID, name, "unknown %s field \"%.64s\"%s%s%s",
                           table->what, name, nearest ? "; did you mean \"" : "",
                           nearest ? nearest : "", nearest ? "\"?" : "");
}

enum status field_refuse_both(const struct field *field, const struct field *other,
                              struct error *err) {
    return error_set_field(err, STATUS_INVALID, field->name,
                           "%s and %s say the same thing: give only one", field->name, other->name);
}

/* Notes that this row is being set; it may be once, and not beside another way to say it. */
static enum status mark_given(const struct field_table *table, bool *given,
                              const struct field *field, struct error *err) {
    int i = (int)(field - table->fields);
    if (given[i])
        return error_set_field(err, STATUS_INVALID, field->name, "%s is given twice", field->name);
    given[i] = true;
    if (field->flags & FIELD_OR_PREVIOUS && given[i - 1])
        return field_refuse_both(field, field - 1, err);
    if (i + 1 < table->count && field[1].flags & FIELD_OR_PREVIOUS && given[i + 1])
        return field_refuse_both(field, field + 1, err);
    return STATUS_OK;
}

static enum status parse_arg(const struct field_table *table, void *object, const char *arg,
                             unsigned refused, bool *given, struct error *err) {
    const char *equals = strchr(arg, '=');
    char name[ERROR_FIELD_BYTES];
    if (!equals || equals == arg)
        return error_set(err, STATUS_INVALID, "argument \"%.80s\" is not key=value", arg);
    snprintf(name, sizeof name, "%.*s", (int)(equals - arg), arg);
    const struct field *field = NULL;
    enum status status = fields_lookup(table, name, refused, &field, err);
    if (!status)
        status = mark_given(table, given, field, err);
    return status ? status : field_set_text(field, object, equals + 1, err);
}

enum status fields_parse_args(const struct field_table *table, void *object, int argc,
                              char *const *argv, unsigned refused, struct error *err) {
    bool given[FIELD_TABLE_MAX] = {false};
    CHECK(table->count <= FIELD_TABLE_MAX);
    for (int i = 0; i < argc; i++) {
        enum status status = parse_arg(table, object, argv[i], refused, given, err);
        if (status)
            return status;
    }
    return STATUS_OK;
}
