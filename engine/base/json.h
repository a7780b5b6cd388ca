/*
 * json.h - a small bounded JSON reader for safetensors headers and model files.
 *
 * The text is parsed into a tree in an arena. Depth, number of values and text size are limited;
 * duplicate keys, bytes after the value and invalid UTF-8 are errors. Writing is str_add_json.
 *
 * Ownership: the tree lives in the arena that was given.
 * Errors:    CORRUPT with the byte offset; TOO_LARGE for a limit.
 */
#ifndef ENGINE_BASE_JSON_H
#define ENGINE_BASE_JSON_H

#include "engine/base/mem.h"

enum { JSON_MAX_DEPTH = 32, JSON_MAX_VALUES = 1 << 20, JSON_MAX_BYTES = 64 << 20 };

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    bool boolean;
    bool is_integer; /* a number without fraction or exponent that fits int64 */
    int64_t integer;
    double number;
    const char *string; /* NUL-terminated, escapes decoded; embedded \u0000 is refused */
    const char *key;    /* name of this member when the parent is an object */
    struct json *child; /* first member or element */
    struct json *next;  /* next sibling */
    size_t count;       /* members or elements */
};

/* Parses len bytes into a tree that lives in the arena. */
MUST_CHECK enum status json_parse(struct arena *arena, const char *text, size_t len,
                                  const struct json **out, struct error *err);

/* The member of that name, or NULL (also when object is NULL or not an object). */
const struct json *json_member(const struct json *object, const char *key);

const char *json_text_or(const struct json *value, const char *fallback); /* Or the fallback. */
int64_t json_integer_or(const struct json *value, int64_t fallback);      /* Or the fallback. */
double json_number_or(const struct json *value, double fallback);         /* Or the fallback. */

#endif
