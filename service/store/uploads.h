/*
 * uploads.h - data sets on their way: <data>/uploads/<id>/ with what has arrived of their files.
 *
 *     name             of the data set to be
 *     files/<file>     a file that has arrived whole; <file>.part: one that has not
 *     <file>.state     how far a part was checked (upload_file.h)
 *     unpacked/        while an archive of a whole folder is imported
 *     lock             shared by who writes files, held alone by who imports or removes
 *
 * The folder is all there is: an upload survives every process, and several servers may work at the
 * same one. Nothing of it is seen as a data set before uploads_finish.
 *
 * Ownership: cards are values; struct upload_list is the caller's, to be released.
 * Errors:    NOT_FOUND for an unknown or ill-formed id, CONFLICT while somebody else works at it,
 *            INVALID with a field, NO_SPACE and TOO_LARGE for the limits of the configuration, file
 *            errors as in base/file.h.
 * Threads:   any; needs no Redis.
 */
#ifndef SERVICE_STORE_UPLOADS_H
#define SERVICE_STORE_UPLOADS_H

#include "api/upload.h"
#include "service/common/config.h"
#include "service/store/datasets.h"

/* Begins an upload of this name, which no data set must have; id is the result. UNAVAILABLE when
 * too many are open. */
MUST_CHECK enum status uploads_create(const struct config *config, struct id_source *ids,
                                      const char *name, char id[ID_BYTES], struct error *err);

/* What an upload has. */
MUST_CHECK enum status uploads_find(struct upload_card *card, const struct config *config,
                                    const char *id, struct error *err);

struct upload_list {
    struct upload_card *item; /* the oldest first */
    int count;
    char next[ID_BYTES]; /* cursor of the next page, "" at the end */
};

/* Up to limit uploads whose id follows the cursor `after` (NULL or "": from the first). */
MUST_CHECK enum status uploads_list(struct upload_list *list, const struct config *config,
                                    const char *after, int limit, struct error *err);
void upload_list_release(struct upload_list *list); /* Zeroed or filled. */

/* Makes a data set of what has arrived, and removes the upload; otherwise it stays as it is.
 * CONFLICT while files are not whole or the name has been taken, INVALID with the field "files" for
 * what cannot be used. Takes as long as an import. */
MUST_CHECK enum status uploads_finish(const struct config *config, const char *id,
                                      struct dataset_entry *entry, struct error *err);

/* Removes an upload with all that has arrived. */
MUST_CHECK enum status uploads_remove(const struct config *config, const char *id,
                                      struct error *err);

/* Removes those that nothing has been sent to for keep_uploads_hours. */
MUST_CHECK enum status uploads_expire(const struct config *config, struct error *err);

/* ---- for upload_file.c ---- */

/* The folder of an upload, which exists. */
MUST_CHECK enum status upload_folder(char out[FILE_PATH_BYTES], const struct config *config,
                                     const char *id, struct error *err);

/* Locks it, shared or alone, without waiting; *lock is closed to unlock it. */
MUST_CHECK enum status upload_lock(int *lock, const char *folder, bool alone, struct error *err);

/* Bytes of an upload's files, and of those of all uploads; one of its files is not counted. */
MUST_CHECK enum status uploads_usage(const struct config *config, const char *id,
                                     const char *without, int64_t *own, int64_t *all,
                                     struct error *err);

#endif
