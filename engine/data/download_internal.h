/*
 * download_internal.h - the table behind download_dataset; for download.c and its test only.
 */
#ifndef ENGINE_DATA_DOWNLOAD_INTERNAL_H
#define ENGINE_DATA_DOWNLOAD_INTERNAL_H

#include "engine/data/download.h"

#include <stddef.h>
#include <stdint.h>

enum { DOWNLOAD_MD5S = 2 };

/* One file of a data set. The sets' publishers name MD5 sums, so those are what is checked. */
struct download_file {
    const char *dataset;
    const char *address;            /* official: scheme, host and folder, with a slash at the end */
    const char *name;               /* of the file there, and in a mirror */
    int64_t bytes;                  /* for the progress; the checksum decides */
    const char *md5[DOWNLOAD_MD5S]; /* the second, if any: same content, compressed again */
    const char *unpacks_to;         /* the folder in a .tar.gz, or NULL for a file kept as it is */
};

struct download_table {
    const struct download_file *files;
    size_t count;
};

/* Who is told how far it is; fn may be NULL. */
struct download_watch {
    download_progress_fn *fn;
    void *ctx;
};

/* download_dataset with another table; mirror is a folder, an address or NULL. */
MUST_CHECK enum status download_from(const struct download_table *table, const char *name,
                                     const char *mirror, const char *folder,
                                     const struct download_watch *watch, struct error *err);

#endif
