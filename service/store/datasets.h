/*
 * datasets.h - registered data sets: <data>/datasets/<name>/ as dataset_write leaves them, and
 * card.json (api/cards.h). Those of the same pictures share them (blobs.h).
 *
 * A data set is visible once its folder has its name, and then never changes.
 *
 * Ownership: struct dataset_entry and struct dataset_list are the caller's; release them.
 * Errors:    NOT_FOUND for an unknown or ill-formed name, file errors as in base/file.h.
 * Threads:   any; needs no Redis.
 */
#ifndef SERVICE_STORE_DATASETS_H
#define SERVICE_STORE_DATASETS_H

#include "api/cards.h"
#include "engine/data/dataset.h"

struct dataset_entry {
    char folder[FILE_PATH_BYTES]; /* for dataset_open */
    struct dataset_card card;
};

struct dataset_list {
    struct dataset_entry *item; /* by name */
    int count;
    char next[DATASET_NAME_BYTES]; /* cursor of the next page, "" at the end */
};

/* OK when there is a data set of that name, damaged or not. */
MUST_CHECK enum status datasets_check(const char *data, const char *name, struct error *err);

/* The data set of that name. */
MUST_CHECK enum status datasets_find(struct dataset_entry *entry, const char *data,
                                     const char *name, struct error *err);
void dataset_entry_release(struct dataset_entry *entry); /* Zeroed or found. */

/* Up to limit data sets whose name follows the cursor `after` (NULL or "": from the first). A
 * damaged folder is left out. */
MUST_CHECK enum status datasets_list(struct dataset_list *list, const char *data, const char *after,
                                     int limit, struct error *err);
void dataset_list_release(struct dataset_list *list); /* Zeroed or filled. */

/* A folder that becomes a data set, and the field that an error of what is in it names. */
struct dataset_source {
    const char *name, *folder, *field;
};

/* Checks a folder, copies it into the data directory and registers it; entry is the result.
 * INVALID with the source's field, CONFLICT with field "name" when that is taken, NO_SPACE when all
 * data sets would have more than max_bytes (0: no limit), CANCELLED when the service is told to end
 * meanwhile. Takes as long as reading and writing all pictures. */
MUST_CHECK enum status datasets_take(const char *data, int64_t max_bytes,
                                     const struct dataset_source *source,
                                     struct dataset_entry *entry, struct error *err);

/* The same for the folder `path` of a request, field "path", which must lie under one of `roots`:
 * directories, separated by ':'. INVALID with field "name" also. */
MUST_CHECK enum status datasets_import(const char *data, const char *roots, int64_t max_bytes,
                                       const struct dataset_request *request,
                                       struct dataset_entry *entry, struct error *err);

/* Lets all data sets share what they have in common; it may be done again. */
MUST_CHECK enum status datasets_share(const char *data, struct error *err);

/* Makes a data set invisible, at once and for good; the caller removes what is then at `gone`. */
MUST_CHECK enum status datasets_withdraw(const char *data, const char *name,
                                         char gone[FILE_PATH_BYTES], struct error *err);

#endif
