/*
 * fields.h - plain structs described by a table: one row a field.
 *
 * The table gives name, type, place, range, default and sentence. The command line, JSON, recipes,
 * defaults, range errors, help and the check of openapi.yaml all walk it, so a new field is one
 * struct member and one row.
 *
 * Errors:  INVALID with err->field set and a message that names value and allowed range.
 * Threads: tables are constant; an object belongs to its owner.
 */
#ifndef ENGINE_SPEC_FIELDS_H
#define ENGINE_SPEC_FIELDS_H

#include "engine/base/str.h"

#include <stddef.h>

enum field_type {
    FIELD_INT,   /* int64_t */
    FIELD_FLOAT, /* double; NaN means not given */
    FIELD_BOOL,  /* bool */
    FIELD_TEXT,  /* char [size]; "" means not given */
    FIELD_ENUM,  /* int, index into choices */
    FIELD_INTS,  /* struct int_list */
    FIELD_TEXTS  /* struct text_list */
};

enum { FIELD_LIST_MAX = 16, FIELD_TEXT_BYTES = 64 };

struct int_list {
    int count;
    int64_t item[FIELD_LIST_MAX];
};

struct text_list {
    int count;
    char item[FIELD_LIST_MAX][FIELD_TEXT_BYTES];
};

enum field_flags {
    FIELD_UNHASHED = 1,     /* does not change the result: not part of the spec's hash */
    FIELD_CLI = 2,          /* command line only: refused in a job */
    FIELD_JOB = 4,          /* jobs only: refused on the command line */
    FIELD_MIN_OPEN = 8,     /* the minimum itself is not allowed */
    FIELD_MAX_OPEN = 16,    /* the maximum itself is not allowed */
    FIELD_OR_PREVIOUS = 32, /* another way to say the row before it: input may have only one */
    FIELD_REQUIRED = 64,    /* a text that must be given where it is there; never null in answers */
    FIELD_HIDDEN = 128      /* kept in files, never shown */
};

struct field {
    const char *name;
    enum field_type type;
    size_t offset, size;        /* place in the struct; size bounds FIELD_TEXT */
    double min, max;            /* range of a number, of each list item, or of a text's length */
    const char *fallback;       /* default, as text; "" for not given */
    const char *const *choices; /* of an enum, in the enum's order; NULL ends them */
    unsigned flags;
    unsigned variants; /* bit i: the field exists where the table's first row, an enum, has the
                          value i; 0: it always exists */
    const char *doc;   /* one sentence */
};

/* The part of a row that follows from a member: name, offset and size. */
#define FIELD_MEMBER(structure, member)                                                            \
    .name = #member, .offset = offsetof(structure, member),                                        \
    .size = sizeof(((structure *)NULL)->member)

/* Choices that no other row has. */
#define FIELD_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

enum { FIELD_TABLE_MAX = 128 };

struct field_table {
    const char *what; /* "job", for messages */
    const struct field *fields;
    int count;
};

/* The table of a constant array of rows. */
#define FIELD_TABLE(name, rows)                                                                    \
    { .what = name, .fields = rows, .count = sizeof(rows) / sizeof *(rows) }

/* The row of that name, or NULL. */
const struct field *field_find(const struct field_table *table, const char *name);

/* Sets every field to its default. */
void fields_default(const struct field_table *table, void *object);

/* Sets one field from text as the command line writes it; lists with commas, booleans 0 1 true
 * false. */
MUST_CHECK enum status field_set_text(const struct field *field, void *object, const char *text,
                                      struct error *err);

/* Typed setters for JSON; a value of the wrong type is INVALID, the range is checked. */
MUST_CHECK enum status field_set_int(const struct field *field, void *object, int64_t value,
                                     struct error *err);
MUST_CHECK enum status field_set_double(const struct field *field, void *object, double value,
                                        struct error *err);
MUST_CHECK enum status field_set_bool(const struct field *field, void *object, bool value,
                                      struct error *err);
MUST_CHECK enum status field_set_string(const struct field *field, void *object, const char *value,
                                        struct error *err);
/* Appends to a list field; the caller clears it first with field_clear. */
MUST_CHECK enum status field_append_int(const struct field *field, void *object, int64_t value,
                                        struct error *err);
MUST_CHECK enum status field_append_string(const struct field *field, void *object,
                                           const char *value, struct error *err);
void field_clear(const struct field *field, void *object); /* To "not given" / empty list. */

bool field_is_given(const struct field *field, const void *object); /* Not NaN, not empty. */

/* Does an object of its variant have the field? */
bool field_applies(const struct field_table *table, const struct field *field, const void *object);

/* INVALID for a field that an object of its variant does not have. */
enum status field_refuse_variant(const struct field_table *table, const struct field *field,
                                 const void *object, struct error *err);

/* INVALID when the field is required and not given. */
MUST_CHECK enum status field_check_required(const struct field_table *table,
                                            const struct field *field, const void *object,
                                            struct error *err);

/* The same for all fields; names the first. */
MUST_CHECK enum status fields_check_required(const struct field_table *table, const void *object,
                                             struct error *err);

/* Appends the value as command-line text. */
void field_add_text(const struct field *field, const void *object, struct str *out);

/* Appends the value as JSON (null for a number or text that is not given). */
void field_add_json(const struct field *field, const void *object, struct str *out);

/* Appends all fields as a JSON object. Left out are rows with any of the hidden flags, and rows
 * that this variant does not have, except texts that have been set anyway. */
void fields_add_json(const struct field_table *table, const void *object, unsigned hidden,
                     struct str *out);

/* The same but for the last brace: the caller goes on with str_json_key. */
void fields_add_open(const struct field_table *table, const void *object, unsigned hidden,
                     struct str *out);

/* The row that input may set under this name; INVALID with the nearest name suggested when there
 * is none or it has any of the refused flags. */
MUST_CHECK enum status fields_lookup(const struct field_table *table, const char *name,
                                     unsigned refused, const struct field **field,
                                     struct error *err);

/* INVALID for a value, as it shall be shown, whose type the field does not take. */
enum status field_refuse_type(const struct field *field, const char *value, struct error *err);

/* INVALID for two rows that say the same thing (FIELD_OR_PREVIOUS), both given. */
enum status field_refuse_both(const struct field *field, const struct field *other,
                              struct error *err);

/* Appends the allowed range in words: "1 to 10000", "one of ce, kd", "0 < x <= 1". */
void field_add_range(const struct field *field, struct str *out);

/* Appends the help text of a table: each field with type, range, default and sentence. Rows with
 * any of the hidden flags are left out; those in required (names, the last of which is NULL; or
 * NULL: none) are required beside those that the table says. */
void fields_add_help(const struct field_table *table, unsigned hidden, const char *const *required,
                     struct str *out);

/* Appends a JSON Schema of the table's objects; defaults is an object that fields_default filled.
 * Rows with any of the hidden flags are left out. */
void fields_add_schema(const struct field_table *table, const void *defaults, unsigned hidden,
                       struct str *out);

/* Sets fields from argv items "key=value"; unknown keys are INVALID with the nearest name
 * suggested; a key given twice is INVALID; rows with any of the refused flags are unknown. */
MUST_CHECK enum status fields_parse_args(const struct field_table *table, void *object, int argc,
                                         char *const *argv, unsigned refused, struct error *err);

#endif
