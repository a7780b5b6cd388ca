/*
 * models.h - trained models as folders of files: <data>/models/<id>/model.safetensors, model.json.
 *
 * model.json is the model's card (api/cards.h). A model is visible once its folder has its name,
 * and then never changes, but for evaluations that join it (evaluations.h). The id of a job's model
 * is the job's own ULID, so publishing twice is publishing once.
 *
 * Ownership: struct model and struct model_list are the caller's; release them.
 * Errors:    NOT_FOUND for an unknown or ill-formed id, file errors as in base/file.h.
 * Threads:   any; needs no Redis.
 */
#ifndef SERVICE_STORE_MODELS_H
#define SERVICE_STORE_MODELS_H

#include "api/cards.h"
#include "engine/base/file.h"

struct model {
    char folder[FILE_PATH_BYTES]; /* for predictor_create */
    char weights[FILE_PATH_BYTES];
    struct model_card card;
};

struct model_list {
    struct model *item; /* newest first */
    int count;
    char next[ID_BYTES]; /* cursor of the next page, "" at the end */
};

/* The id of the model that a job makes: model_ and the job's ULID. */
void model_id_of_job(char out[ID_BYTES], const char *job_id);

/* OK when there is a model of that id, damaged or not. */
MUST_CHECK enum status models_check(const char *data, const char *id, struct error *err);

/* The model of that id. */
MUST_CHECK enum status models_find(struct model *model, const char *data, const char *id,
                                   struct error *err);
void model_release(struct model *model); /* Zeroed or found. */

/* Up to limit models older than the cursor `after` (NULL or "": from the newest). A damaged folder
 * is left out. */
MUST_CHECK enum status models_list(struct model_list *list, const char *data, const char *after,
                                   int limit, struct error *err);
void model_list_release(struct model_list *list); /* Zeroed or filled. */

/* Writes model.safetensors into a folder and fills the card but for its id. */
typedef enum status models_fill_fn(void *ctx, const char *folder, struct model_card *card,
                                   struct error *err);

/* Makes the model card->id of what fill writes; it is visible once it is whole. */
MUST_CHECK enum status models_create(const char *data, struct model_card *card,
                                     models_fill_fn *fill, void *ctx, struct error *err);

/* Makes a training folder's model.safetensors and evaluation.json the model card->id; the folder
 * keeps its files. OK at once when that model exists already. */
MUST_CHECK enum status models_publish(const char *data, const char *folder,
                                      const struct model_card *card, struct error *err);

/* Makes a model invisible, at once and for good; the caller removes what is then at `gone`. */
MUST_CHECK enum status models_withdraw(const char *data, const char *id, char gone[FILE_PATH_BYTES],
                                       struct error *err);

#endif
