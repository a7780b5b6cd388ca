/*
 * sha256.h - SHA-256 (FIPS 180-4), for the names of blobs and published checksums.
 *
 * Uses the processor's SHA instructions where they exist; the result is the same.
 *
 * Threads: a struct sha256 belongs to one thread.
 */
#ifndef ENGINE_BASE_SHA256_H
#define ENGINE_BASE_SHA256_H

#include "engine/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX_BYTES = 65 };

struct sha256 {
    uint32_t state[8];
    uint64_t total_bytes;
    uint8_t block[64];
};

void sha256_init(struct sha256 *sha);                                   /* Starts a digest. */
void sha256_add(struct sha256 *sha, const void *bytes, size_t len);     /* Adds bytes. */
void sha256_finish(struct sha256 *sha, uint8_t out[SHA256_BYTES]);      /* Ends it. */
void sha256_finish_hex(struct sha256 *sha, char out[SHA256_HEX_BYTES]); /* Ends it, as text. */

/* Digest of some bytes; the same as lower-case hex text. */
void sha256_of(const void *bytes, size_t len, uint8_t out[SHA256_BYTES]);
void sha256_hex(const void *bytes, size_t len, char out[SHA256_HEX_BYTES]);

/* Digest of a whole file as lower-case hex text. */
MUST_CHECK enum status sha256_file(const char *path, char out[SHA256_HEX_BYTES], struct error *err);

#endif
