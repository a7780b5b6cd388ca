/*
 * utf8.h - checks and encodes UTF-8 (RFC 3629): no overlong forms, no surrogates.
 *
 * Threads: pure functions.
 */
#ifndef ENGINE_BASE_UTF8_H
#define ENGINE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UTF8_MAX_BYTES = 4 };

/* Bytes (1 to 4) of the valid character at the start of text, 0 if there is none. */
size_t utf8_char_bytes(const char *text, size_t len);

/* All of the text is valid. */
bool utf8_is_valid(const char *text, size_t len);

/* Copies as many whole characters as fit; '?' stands for each byte that belongs to none. */
void utf8_copy(char *out, size_t out_bytes, const char *text);

/* Writes a code point up to U+10FFFF that is no surrogate; returns the number of bytes. */
size_t utf8_encode(uint32_t code_point, char out[UTF8_MAX_BYTES]);

#endif
