/*
 * model_import.h - weights that another program has trained become a model: model.safetensors and
 * model.json, as a training run leaves them.
 *
 * Errors: INVALID with the field's name; what does not fit as in engine/model/bare.h.
 */
#ifndef ENGINE_SESSION_MODEL_IMPORT_H
#define ENGINE_SESSION_MODEL_IMPORT_H

#include "engine/model/bare.h"
#include "engine/spec/import_spec.h"

/* Fills info, released by the caller, with what is known of a data set: a folder's, or by name one
 * whose statistics and classes are published. Where pictures differ in size, as ImageNet's, the
 * input is 224x224, the middle of 256. Zeroes for "". */
MUST_CHECK enum status import_info_find(struct model_info *info, const char *dataset,
                                        struct error *err);

/* The same for a known name only, which leaves info zeroed if it is not one. */
void import_info_of_known(struct model_info *info, const char *dataset);

/* Puts in what becomes of pictures that differ in size. */
void import_info_set_middle(struct model_info *info);

/* Puts the spec's fields into info, which holds what a data set says, or is zeroed without one. */
MUST_CHECK enum status import_info_complete(struct model_info *info, const struct import_spec *spec,
                                            struct error *err);

/* Makes out_folder/model.safetensors of the weights in path. misfits (not NULL) receives what does
 * not fit; nothing is written then. */
MUST_CHECK enum status model_import(const char *path, const struct model_info *info,
                                    const char *out_folder, struct misfits *misfits,
                                    struct error *err);

#endif
