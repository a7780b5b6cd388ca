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

/* Fills info, which the caller releases, with what is known of a data set: the one in a folder, or
 * a published one by its name. Where pictures differ in size, as ImageNet's do,
 * import_info_set_middle sets the input. Zeroes info for "". */
MUST_CHECK enum status import_info_find(struct model_info *info, const char *dataset,
                                        struct error *err);

/* The same for the name of a published data set only; zeroes info for any other name. */
void import_info_of_known(struct model_info *info, const char *dataset);

/* Sets the input to 224x224: a picture's shorter side is resized to 256 and the middle is
 * cropped. */
void import_info_set_middle(struct model_info *info);

/* Sets what the spec gives in info, in place of what a data set said. Without a data set info is
 * zeroed before. */
MUST_CHECK enum status import_info_complete(struct model_info *info, const struct import_spec *spec,
                                            struct error *err);

/* Makes out_folder/model.safetensors of the weights in path. misfits (not NULL) receives what does
 * not fit; nothing is written then. */
MUST_CHECK enum status model_import(const char *path, const struct model_info *info,
                                    const char *out_folder, struct misfits *misfits,
                                    struct error *err);

#endif
