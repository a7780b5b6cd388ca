/*
 * base64.h - bytes that came as text: RFC 4648 with padding, read strictly.
 *
 * Ownership: the caller's buffers.
 * Threads:   a pure function.
 */
#ifndef API_BASE64_H
#define API_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes text of len characters, which may not be empty nor hold white space or stray bits; false
 * for all else. out has room for len / 4 * 3 bytes. */
bool base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len);

#endif
