/*
 * gzip.h - reads the beginning of a gzip file into memory of a size that the caller knows.
 *
 * The caller bounds the output, so a file cannot expand beyond what was promised.
 *
 * Errors:  CORRUPT (not gzip, truncated, wrong checksum, bytes after the end), UNSUPPORTED (built
 *          without zlib), file errors as in file.h.
 * Threads: pure function.
 */
#ifndef ENGINE_DATA_GZIP_H
#define ENGINE_DATA_GZIP_H

#include "engine/base/mem.h"

/* No gzip file expands by more than this factor. */
enum { GZIP_MAX_RATIO = 1032 };

/* Decompresses at most bytes into out. *got says how many came; *more says that the file holds
 * more than that. Checksum and end of the file are checked unless there is more. */
MUST_CHECK enum status gzip_read(const char *path, void *out, size_t bytes, size_t *got, bool *more,
                                 struct error *err);

#endif
