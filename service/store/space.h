/*
 * space.h - how much room the data directory has, and for how many things.
 *
 * Errors:  NO_SPACE, file errors as in base/file.h.
 * Threads: any.
 */
#ifndef SERVICE_STORE_SPACE_H
#define SERVICE_STORE_SPACE_H

#include "engine/base/status.h"

#include <stdint.h>

/* NO_SPACE when fewer bytes are free for us than the minimum; 0: always OK. */
MUST_CHECK enum status space_check(const char *data, int64_t min_free_bytes, struct error *err);

/* NO_SPACE when one of its folders ("models", "aliases") has that many entries already. What comes
 * at the same time is not counted, so there may be a few more. */
MUST_CHECK enum status space_check_count(const char *data, const char *kind, int most,
                                         struct error *err);

#endif
