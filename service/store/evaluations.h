/*
 * evaluations.h - how well a model does on splits of data sets:
 * <data>/models/<id>/evaluation.<split>.<data set>.json, as evaluation_add_stored writes it.
 *
 * The one on its own data set comes with the model, others of jobs that predict; a newer one takes
 * the place of an older. They go with the model.
 *
 * Errors:  NOT_FOUND when there is none, CORRUPT, file errors as in base/file.h.
 * Threads: any; needs no Redis.
 */
#ifndef SERVICE_STORE_EVALUATIONS_H
#define SERVICE_STORE_EVALUATIONS_H

#include "engine/base/file.h"
#include "engine/spec/evaluation.h"
#include "engine/spec/train_spec.h"

/* What evaluation this is about: of which data set and split. */
struct evaluation_key {
    const char *dataset; /* a valid name */
    enum split_kind split;
};

/* The file's name in its model's folder. */
MUST_CHECK enum status evaluation_file_name(char out[FILE_PATH_BYTES],
                                            const struct evaluation_key *key, struct error *err);

/* Reads one of a model's folder; *out is the caller's to release. */
MUST_CHECK enum status evaluation_find(struct evaluation *out, const char *model_folder,
                                       const struct evaluation_key *key, struct error *err);

/* Adds one to a model's folder, atomically. */
MUST_CHECK enum status evaluation_put(const char *model_folder, const struct evaluation_key *key,
                                      const struct evaluation *evaluation, struct error *err);

#endif
