/*
 * idempotency.h - the Idempotency-Key of a request that creates something.
 *
 * The header of draft-ietf-httpapi-idempotency-key-header: a quoted string of structured fields.
 * What most clients send, the bare text, is taken for the same.
 *
 * Errors:  INVALID without a field (400) for a key that is malformed.
 * Threads: pure.
 */
#ifndef SERVICE_HTTP_IDEMPOTENCY_H
#define SERVICE_HTTP_IDEMPOTENCY_H

#include "api/limits.h"
#include "service/http/request.h"

enum { IDEMPOTENCY_KEY_BYTES = LIMIT_IDEMPOTENCY_KEY + 1 };

/* Reads the key, "" when the request has none. */
MUST_CHECK enum status idempotency_key(const struct request *request,
                                       char key[IDEMPOTENCY_KEY_BYTES], struct error *err);

#endif
