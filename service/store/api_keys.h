/*
 * api_keys.h - API keys as files: <data>/keys/<name>, a file with the key as JSON.
 *
 * The folder comes into being with the first key. From then on everybody is asked for one, also
 * when all have been removed: nothing is opened by accident.
 *
 * Ownership: struct key_list is the caller's; release it.
 * Errors:    NOT_FOUND for an unknown key, CONFLICT for a name that is taken, NO_SPACE for one key
 *            too many, file errors as in base/file.h.
 * Threads:   any; needs no Redis. Changes hold a lock of the data directory.
 */
#ifndef SERVICE_STORE_API_KEYS_H
#define SERVICE_STORE_API_KEYS_H

#include "api/key.h"
#include "service/store/folders.h"
#include "service/store/secret.h"

struct key_list {
    struct key_card *item; /* by name */
    int count;
    char next[KEY_NAME_BYTES]; /* cursor of the next page, "" at the end */
};

/* Up to limit keys that follow the cursor `after` (NULL or "": from the first). A file that cannot
 * be read is left out, and *skipped (may be NULL) counts it. */
MUST_CHECK enum status api_keys_list(struct key_list *list, const char *data, const char *after,
                                     int limit, int *skipped, struct error *err);
void key_list_release(struct key_list *list); /* Zeroed or filled. */

/* Makes a key of a checked request; secret is the only copy there will be. */
MUST_CHECK enum status api_keys_create(const char *data, const struct key_request *request,
                                       struct key_card *card, char secret[SECRET_BYTES],
                                       struct error *err);

/* Changes a key; card is the key afterwards. `by` is the key that asks for it, "" where nobody
 * needs one: CONFLICT when that is no admin's any more, so that two that remove each other leave
 * one. */
MUST_CHECK enum status api_keys_edit(const char *data, const char *by, const char *name,
                                     const struct key_edit *edit, struct key_card *card,
                                     struct error *err);

/* Removes a key; `by` as above. */
MUST_CHECK enum status api_keys_remove(const char *data, const char *by, const char *name,
                                       struct error *err);

#endif
