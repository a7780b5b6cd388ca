/*
 * unpack.h - unpacks the archive of a whole data set into a folder.
 *
 * Only regular files come out, with the folders that they lie in; tar.h says what is refused. Names
 * of which a part begins with a dot are left out, as they are no part of a data set.
 *
 * Errors:  CORRUPT (also: a name that is there twice, or lies below a file), TOO_LARGE as in
 *          gzip.h, UNSUPPORTED (no zlib), file errors as in base/file.h.
 * Threads: pure functions.
 */
#ifndef ENGINE_DATA_UNPACK_H
#define ENGINE_DATA_UNPACK_H

#include "engine/base/file.h"

/* Unpacks a .tar, .tar.gz or .tgz into a folder that is made, and must be empty if it is there. */
MUST_CHECK enum status archive_unpack(const char *path, const char *folder, struct error *err);

#endif
