/*
 * gzip.h - reads gzip files, into memory of a size that the caller knows or into a map.
 *
 * The output is bounded, so a file cannot expand beyond what was promised.
 *
 * Errors:  CORRUPT (not gzip, truncated, wrong checksum, bytes after the end), UNSUPPORTED (built
 *          without zlib), file errors as in file.h.
 * Threads: pure functions.
 */
#ifndef ENGINE_DATA_GZIP_H
#define ENGINE_DATA_GZIP_H

#include "engine/base/file.h"

/* No gzip file expands by more than this factor. */
enum { GZIP_MAX_RATIO = 1032 };

/* Decompresses at most bytes into out. *got says how many came; *more says that the file holds
 * more than that. Checksum and end of the file are checked unless there is more. */
MUST_CHECK enum status gzip_read(const char *path, void *out, size_t bytes, size_t *got, bool *more,
                                 struct error *err);

/* What a file that is unpacked whole may hold: archives of pictures hardly shrink. */
enum { GZIP_MAP_RATIO = 16, GZIP_MAP_BYTES = 1 << 30 };

/* Unpacks a whole file into a temporary one without a name, of at most GZIP_MAP_BYTES plus
 * GZIP_MAP_RATIO times its size (else TOO_LARGE), and maps that; file_unmap removes it. */
MUST_CHECK enum status gzip_map(struct file_map *map, const char *path, struct error *err);

/* A file that comes in pieces. Bounded as above: what has come out by what has gone in. */
struct gunzip;
typedef enum status gunzip_take_fn(void *ctx, const uint8_t *bytes, size_t len, struct error *err);
MUST_CHECK enum status gunzip_create(struct gunzip **gunzip, struct error *err);
void gunzip_free(struct gunzip *gunzip); /* NULL is allowed. */

/* Unpacks the next piece; hands out what it holds in pieces of its own. */
MUST_CHECK enum status gunzip_add(struct gunzip *gunzip, const uint8_t *bytes, size_t len,
                                  gunzip_take_fn *take, void *ctx, struct error *err);

/* The file has ended as it should. */
MUST_CHECK enum status gunzip_end(const struct gunzip *gunzip, struct error *err);

#endif
