/*
 * open.h - opens what is to be read; on paths that are strict no link is followed.
 *
 * A path that begins with two slashes is strict: it is opened only if no part of it is a link at
 * the moment of opening, and only as a regular file or a folder. So the bytes come from where the
 * path says, even while somebody else moves files about. A name appended to a strict path gives a
 * strict path. Everything but this header takes two slashes for one, as Linux does.
 *
 * Errors:  -1 and errno; of a strict path ELOOP or ENOTDIR for a link, EINVAL for a device, pipe or
 *          socket: CORRUPT by open_failed, as what somebody handed over holds what it must not.
 * Threads: pure functions.
 */
#ifndef ENGINE_BASE_OPEN_H
#define ENGINE_BASE_OPEN_H

#include "engine/base/status.h"

#define OPEN_STRICT "/" /* in front of an absolute path, makes it strict */

/* What a failure (errno) of the function below means. */
enum status open_failed(int reason, const char *path, struct error *err);

/* Opens an existing file or folder to read; flags as O_DIRECTORY may be added. */
MUST_CHECK int open_to_read(const char *path, int flags);

/* The same for a strict path where the kernel has no openat2 (before 5.6, or forbidden): part by
 * part. */
MUST_CHECK int open_part_by_part(const char *path, int flags);

#endif
