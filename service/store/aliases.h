/*
 * aliases.h - names that stand for models: <data>/aliases/<name>, a file with the alias as JSON.
 *
 * Moving one replaces its file: whoever asks gets the model of before or of after. An alias always
 * points at a model that is there, because who moves one or removes a model holds the guard
 * (guard.h).
 *
 * Ownership: struct alias_list is the caller's; release it.
 * Errors:    NOT_FOUND for an unknown alias or model, file errors as in base/file.h.
 * Threads:   any; needs no Redis.
 */
#ifndef SERVICE_STORE_ALIASES_H
#define SERVICE_STORE_ALIASES_H

#include "api/alias.h"
#include "api/limits.h"
#include "service/store/models.h"

struct alias_list {
    struct alias_card *item; /* by name */
    int count;
    char next[ALIAS_NAME_BYTES]; /* cursor of the next page, "" at the end */
};

/* Up to limit aliases that follow the cursor `after` (NULL or "": from the first). */
MUST_CHECK enum status aliases_list(struct alias_list *list, const char *data, const char *after,
                                    int limit, struct error *err);
void alias_list_release(struct alias_list *list); /* Zeroed or filled. */

/* What a model is called by: *out becomes the id that an alias points at, kept in id, or the name
 * itself where it is no alias. */
MUST_CHECK enum status aliases_resolve(const char *data, const char *name, char id[ID_BYTES],
                                       const char **out, struct error *err);

/* The model of that id or alias, also when the alias is moved and its model removed meanwhile. */
MUST_CHECK enum status aliases_find_model(struct model *model, const char *data, const char *name,
                                          struct error *err);

/* Makes a valid name point at a model's id, or another alias's. *created: it is new. The caller
 * holds the guard. NO_SPACE when there are LIMIT_ALIASES. */
MUST_CHECK enum status aliases_point(const char *data, const char *name, const char *model,
                                     struct alias_card *card, bool *created, struct error *err);

/* Removes an alias; its model stays. The caller holds the guard. */
MUST_CHECK enum status aliases_remove(const char *data, const char *name, struct error *err);

/* CONFLICT when an alias points at this model. */
MUST_CHECK enum status aliases_check_unused(const char *data, const char *model, struct error *err);

#endif
