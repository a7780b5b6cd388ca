/*
 * bare.h - weights of other programs, which tell of themselves nothing but names and shapes.
 *
 * Errors: as model_load; with field "classes" or "dataset" when the weights tell another number of
 *         classes apart; "architecture" when they are those of other networks, which the message
 *         names. What is wrong with the file's form is told without its path.
 */
#ifndef ENGINE_MODEL_BARE_H
#define ENGINE_MODEL_BARE_H

#include "engine/model/network.h"

/* Loads a .safetensors (or a folder's) as the network that info describes; with 0 classes, as many
 * as the weights tell apart, named by their numbers. model copies info; misfits may be NULL. */
MUST_CHECK enum status model_load_bare(struct loaded_model *model, const char *path,
                                       const struct model_info *info, struct misfits *misfits,
                                       struct error *err);

#endif
