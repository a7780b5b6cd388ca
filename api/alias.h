/*
 * alias.h - a name such as "prod" that stands for a model and can be moved to another.
 *
 * Errors:  as in codec.h.
 * Threads: values; constant tables.
 */
#ifndef API_ALIAS_H
#define API_ALIAS_H

#include "api/errors.h"
#include "api/ids.h"
#include "engine/base/clock.h"
#include "engine/spec/fields.h"

enum { ALIAS_NAME_BYTES = FIELD_TEXT_BYTES };
#define ALIAS_NAME_RANGE                                                                           \
    "1 to 63 lower-case letters, digits, _, . and -, not first . or -, and not the beginning of "  \
    "an id"

/* An alias, as GET /aliases answers, and as it is kept. */
struct alias_card {
    char name[ALIAS_NAME_BYTES];
    char model[ID_BYTES];
    char changed[CLOCK_TEXT_BYTES]; /* RFC 3339 */
};
extern const struct field_table alias_card_table;

void alias_card_add_json(const struct alias_card *card, struct str *out); /* Appends an object. */

/* Reads what alias_card_add_json wrote. */
MUST_CHECK enum status alias_card_decode(struct alias_card *card, const char *text, size_t len,
                                         struct error *err);

/* PUT /aliases/{name}. */
struct alias_request {
    char model[FIELD_TEXT_BYTES]; /* id or alias; required */
};
extern const struct field_table alias_request_table;

/* The body of PUT /aliases/{name}. */
MUST_CHECK enum status alias_request_decode(struct alias_request *request, const char *text,
                                            size_t len, struct field_errors *errors,
                                            struct error *err);

/* The text may be an alias: a file name without tricks that no id can be. */
bool alias_name_is_valid(const char *name);

#endif
