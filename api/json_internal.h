/*
 * json_internal.h - JSON trees, for the files of api/ only: the one place that shows Jansson.
 *
 * Ownership: json_read's tree belongs to the caller (json_decref).
 * Errors:    as codec.h says.
 */
#ifndef API_JSON_INTERNAL_H
#define API_JSON_INTERNAL_H

#include "api/errors.h"
#include "engine/spec/fields.h"

#include <jansson.h>

/* Parses text to an object, strictly and with bounded depth; INVALID without a field. */
MUST_CHECK enum status json_read(json_t **root, const char *text, size_t len, struct error *err);

/* Fills an object by its table from a tree and collects what is wrong; errors is never NULL.
 * `strict` is for requests: required fields, and never two that say the same thing. */
void json_read_fields(const struct field_table *table, void *object, unsigned refused, bool strict,
                      json_t *root, struct field_errors *errors);

/* Appends a value as JSON text for an error: short, and always valid JSON. */
void json_show(const json_t *value, struct str *out);

/* Appends text as a JSON string literal of less than 340 bytes, cut if need be. */
void json_show_text(const char *text, struct str *out);

/* Appends a member that is a text, or null if that is "". */
void json_add_text(struct str *out, const char *key, const char *text);

/* What is wrong with stored text: CORRUPT instead of INVALID, with what it should have been. */
enum status json_corrupt(const char *what, struct error *err);

#endif
