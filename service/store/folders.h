/*
 * folders.h - the layout of the data directory.
 *
 *     models/<id>/      models.h            jobs/<id>/      what a run works with, and its lock
 *     datasets/<name>/  datasets.h          redis/          the private Redis
 *     aliases/<name>    aliases.h           checkpoints/<job>/  checkpoints.h
 *     logs/             job_log.h           workers/        locks of the workers' slots
 *     blobs/<sha256>/   blobs.h             uploads/<id>/   uploads.h
 *     inputs.lock       guard.h             keys/<name>     api_keys.h
 *     users.lock        folders_join        predictions/<job>/  predictions.h
 *
 * Something is written under a name that begins with FILE_TMP_PREFIX and renamed when whole.
 *
 * Errors:  file errors as in base/file.h.
 * Threads: any.
 */
#ifndef SERVICE_STORE_FOLDERS_H
#define SERVICE_STORE_FOLDERS_H

#include "engine/base/file.h"

/* "<data>/<kind>/<name>"; name may be NULL. */
MUST_CHECK enum status folder_path(char out[FILE_PATH_BYTES], const char *data, const char *kind,
                                   const char *name, struct error *err);

/* Makes the folders above, and removes temporary files and folders in which nothing has changed for
 * older_than_ms (0: all, when no other process uses the directory). */
MUST_CHECK enum status folders_prepare(const char *data, int64_t older_than_ms, struct error *err);

/* The same for a process that uses the directory until it ends: what is younger than older_than_ms
 * goes, too, when no other process uses it. Waits for one that is just looking after it alone. */
MUST_CHECK enum status folders_join(const char *data, int64_t older_than_ms, struct error *err);

/* Removes what a run of this job left in jobs/; a missing folder is fine. */
MUST_CHECK enum status folders_remove_job(const char *data, const char *job_id, struct error *err);

/* Calls back with each name in a folder that is not hidden or temporary, in ascending order. */
typedef enum status folder_fn(void *ctx, const char *name, struct error *err);
MUST_CHECK enum status folder_each(const char *path, bool descending, folder_fn *each, void *ctx,
                                   struct error *err);

/* Reads what has this name into an item of a page, or fails. */
typedef enum status folder_read_fn(void *item, const void *ctx, const char *name,
                                   struct error *err);

enum { FOLDER_NAME_BYTES = 256 };

struct folder_page {
    const char *data, *kind; /* the folder's */
    const char *after;       /* names behind this one; NULL or "": from the first */
    bool descending;
    int limit; /* items */
    size_t item_bytes;
    folder_read_fn *read;
    const void *ctx; /* of read */
};

struct folder_items {
    void *item; /* [count], the caller's to free() */
    int count, skipped;
    char next[FOLDER_NAME_BYTES]; /* the name of the last one, if others follow it, or "" */
};

/* Reads a page of what a folder holds, in order, that is not hidden or temporary; skips what cannot
 * be read. A missing folder is empty. With an error there are no items. */
MUST_CHECK enum status folder_read_page(const struct folder_page *page, struct folder_items *items,
                                        struct error *err);

#endif
