/*
 * publish.h - makes a folder of files visible at once, or invisible. Private to service/store.
 *
 * Errors: file errors as in base/file.h, CONFLICT when a folder of that name exists, NOT_FOUND when
 *         there is none to withdraw.
 */
#ifndef SERVICE_STORE_PUBLISH_H
#define SERVICE_STORE_PUBLISH_H

#include "engine/base/file.h"

enum { CARD_MAX_FILE_BYTES = 32 << 20 };

/* A folder under a temporary name; begin, then put files into tmp_folder, then end. */
struct publication {
    char tmp_folder[FILE_PATH_BYTES]; /* "" when nothing has been made */
    char folder[FILE_PATH_BYTES];     /* its name to be */
};

/* Makes the temporary folder; publication_end is then due, whatever the result. */
MUST_CHECK enum status publication_begin(struct publication *publication, const char *data,
                                         const char *kind, const char *name, struct error *err);

/* Adds a file of this text. */
MUST_CHECK enum status publication_add(const struct publication *publication, const char *name,
                                       const char *text, struct error *err);

/* Adds a file of another folder under a name of its own, as a hard link: that folder stays whole.
 */
MUST_CHECK enum status publication_link(const struct publication *publication, const char *folder,
                                        const char *file, const char *name, struct error *err);

/* Renames the folder durably when status is OK, and removes it otherwise; returns status or what
 * went wrong here. */
MUST_CHECK enum status publication_end(struct publication *publication, enum status status,
                                       struct error *err);

/* Makes what was renamed or removed in a folder durable. */
MUST_CHECK enum status folder_sync(const char *path, struct error *err);

/* Takes a folder's name away durably: nobody finds it any more. gone becomes its temporary name,
 * for the caller to remove; if it does not come to that, the next start sweeps it away. */
MUST_CHECK enum status folder_withdraw(const char *data, const char *kind, const char *name,
                                       char gone[FILE_PATH_BYTES], struct error *err);

#endif
