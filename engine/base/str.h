/*
 * str.h - a growing string with a limit, and strict, locale-free parsing of numbers.
 *
 * Ownership: str_release frees the bytes; str_take hands them over.
 * Threads:   a struct str belongs to one thread.
 */
#ifndef ENGINE_BASE_STR_H
#define ENGINE_BASE_STR_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialise (or STR_INIT); data is NUL-terminated as soon as something was added, and
 * str_text() is always a valid string. */
struct str {
    char *data;
    size_t len, capacity;
    size_t max;   /* 0: 64 MiB */
    bool clipped; /* something did not fit and was left out */
};
#define STR_INIT                                                                                   \
    { 0 }

void str_add(struct str *str, const char *text);                           /* Appends a string. */
void str_add_bytes(struct str *str, const void *bytes, size_t len);        /* Appends len bytes. */
void str_addf(struct str *str, const char *format, ...) PRINTF_LIKE(2, 3); /* Appends, formatted. */
void str_vaddf(struct str *str, const char *format, va_list args) PRINTF_LIKE(2, 0); /* The same. */

/* Appends a JSON string literal, quotes included; control characters and invalid UTF-8 escaped. */
void str_add_json(struct str *str, const char *text);

/* Appends the comma that goes before an item of a JSON list or object, but for the first; and what
 * goes before the value of a member. Both return str, for what comes next. */
struct str *str_json_item(struct str *str);
struct str *str_json_key(struct str *str, const char *key);

/* Appends bytes in base64 (RFC 4648, with padding). */
void str_add_base64(struct str *str, const void *bytes, size_t len);

/* Appends the shortest decimal text that reads back as the same double; "null" if not finite. */
void str_add_double(struct str *str, double value);

/* Appends the shortest decimal text that reads back as the same float (5e-4f gives 0.0005). */
void str_add_float(struct str *str, float value);

const char *str_text(const struct str *str); /* The text so far; "" when empty. */
void str_clear(struct str *str);             /* Empties it and keeps the memory. */
char *str_take(struct str *str);             /* The text, now the caller's to free(); never NULL. */
void str_release(struct str *str);           /* Frees; usable again. */

bool str_equal(const char *a, const char *b);              /* Both may be NULL. */
bool str_has_prefix(const char *text, const char *prefix); /* Everything begins with "". */
bool str_has_suffix(const char *text, const char *suffix); /* Everything ends with "". */

/* The place of a word among words, the last of which is NULL; -1: it is none of them. */
int str_index(const char *const *words, const char *word);

/* Copies into a fixed buffer; false (and a cut, terminated copy) when it does not fit. */
bool str_copy(char *out, size_t out_bytes, const char *text);

/* Whole text is a decimal number in range, no white space; false otherwise. */
bool str_parse_i64(const char *text, int64_t *value);
bool str_parse_u64(const char *text, uint64_t *value);
bool str_parse_double(const char *text, double *value); /* Finite only; locale-independent. */

/* Edit distance; both at most 64 characters, else a large number. */
int str_distance(const char *a, const char *b);

/* For "did you mean": sets *best (NULL: none yet) to the candidate if that is nearer to name. The
 * first one must differ in no more than a third of name's letters and one more. */
void str_nearer(const char **best, const char *name, const char *candidate);

#endif
