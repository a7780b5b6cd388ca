/*
 * model_json.h - what a model is, as the first members of its model.json.
 */
#ifndef ENGINE_MODEL_MODEL_JSON_H
#define ENGINE_MODEL_MODEL_JSON_H

#include "engine/base/str.h"
#include "engine/model/model_file.h"

/* Appends "architecture", "dataset", "input" and "classes", behind the object's brace. */
void model_info_add_json(const struct model_info *info, struct str *out);

#endif
