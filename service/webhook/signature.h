/*
 * signature.h - how a receiver knows that a message is ours: Standard Webhooks, version v1.
 *
 * Signed is "<id>.<timestamp>.<body>", by HMAC-SHA256 with the bytes whose base64 follows the
 * prefix of the secret.
 *
 * Ownership: the caller's buffers.
 * Errors:    CORRUPT for a secret that is none.
 * Threads:   any.
 */
#ifndef SERVICE_WEBHOOK_SIGNATURE_H
#define SERVICE_WEBHOOK_SIGNATURE_H

#include "api/webhook.h"

enum { SIGNATURE_BYTES = 64 };

/* A fresh secret of 24 random bytes. Aborts if the system has no entropy. */
void webhook_secret_make(char out[WEBHOOK_SECRET_BYTES]);

/* The signature of a message, "v1,<base64>". */
MUST_CHECK enum status signature_make(const char *secret, const char *id, int64_t timestamp_s,
                                      const struct str *body, char out[SIGNATURE_BYTES],
                                      struct error *err);

#endif
