/*
 * space.h - how much room the data directory has.
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

#endif
