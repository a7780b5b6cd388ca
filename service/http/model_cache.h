/*
 * model_cache.h - models that are loaded and ready to classify, the most recently used of them.
 *
 * A model is loaded once, also when many ask for it at the same time, and stays until others need
 * its place: there is a limit to the number and to the bytes, of weights and activations together.
 * The one that was not used for longest goes first. A model in use is never dropped; for its sake
 * the limits may be exceeded for a moment. It is warm before anyone gets it: each batch size has
 * run. One whose files were removed, by this process or another, is found no more, and freed when
 * nobody uses it.
 *
 * Ownership: each model_cache_find or model_cache_load is paired with one model_cache_give.
 * Errors:    NOT_FOUND for an unknown model, OUT_OF_MEMORY for one that alone is over the limit,
 *            and what loading it says.
 * Threads:   any.
 * Blocking:  model_cache_load, while files are read and the model warms up.
 */
#ifndef SERVICE_HTTP_MODEL_CACHE_H
#define SERVICE_HTTP_MODEL_CACHE_H

#include "engine/session/batcher.h"
#include "service/common/config.h"
#include "service/store/models.h"

struct model_cache;

struct cached_model {
    char id[ID_BYTES];
    const struct model_info *info;
    struct batcher *batcher;
    /* from here on private */
    int64_t bytes;
    char folder[FILE_PATH_BYTES];
    bool is_gone; /* its files were removed */
    int users;
    uint64_t used_at; /* count of uses when it was last given back */
    struct cached_model *next;
};

/* Empty; config must outlive it. */
struct model_cache *model_cache_create(const struct config *config);
void model_cache_free(struct model_cache *cache); /* No model is in use; NULL is allowed. */

/* The model if it is loaded already and its files are there, else NULL. */
struct cached_model *model_cache_find(struct model_cache *cache, const char *id);

/* The model, loaded if need be. */
MUST_CHECK enum status model_cache_load(struct model_cache *cache, const char *id,
                                        struct cached_model **out, struct error *err);

void model_cache_give(struct model_cache *cache, struct cached_model *model); /* NULL is fine. */

/* Frees a model whose files have just been removed, as soon as nobody uses it. */
void model_cache_forget(struct model_cache *cache, const char *id);

int model_cache_count(struct model_cache *cache);     /* How many are loaded. */
int64_t model_cache_bytes(struct model_cache *cache); /* What they hold. */
int model_cache_waiting(struct model_cache *cache);   /* Pictures that wait for any of them. */

#endif
