/*
 * evaluation.h - reads an evaluation back from JSON.
 *
 * Errors:  CORRUPT for text that evaluation_add_stored did not write.
 * Threads: pure.
 */
#ifndef API_EVALUATION_H
#define API_EVALUATION_H

#include "engine/spec/evaluation.h"

/* Reads what evaluation_add_stored wrote; *out is the caller's to release. */
MUST_CHECK enum status evaluation_decode(struct evaluation *out, const char *text, size_t len,
                                         struct error *err);

#endif
