/*
 * secret.h - the secrets of API keys.
 *
 * A secret is drawn, not chosen: 256 random bits, for which one SHA-256 is as good a digest as any
 * slow one.
 *
 * Threads: pure functions, but for the system's random numbers.
 */
#ifndef SERVICE_STORE_SECRET_H
#define SERVICE_STORE_SECRET_H

#include "engine/base/sha256.h"

#include <stdbool.h>

#define SECRET_PREFIX "distilld_" /* for people and for scanners of leaked secrets */
enum { SECRET_RANDOM_BYTES = 32, SECRET_BYTES = sizeof SECRET_PREFIX + 2 * SECRET_RANDOM_BYTES };

/* Draws a new one: the prefix and 64 hexadecimal digits. */
void secret_make(char out[SECRET_BYTES]);

/* What is kept of a secret. */
void secret_digest(const char *secret, char out[SHA256_HEX_BYTES]);

/* Two digests are the same; takes as long for any two. */
bool secret_digests_equal(const char a[SHA256_HEX_BYTES], const char b[SHA256_HEX_BYTES]);

#endif
