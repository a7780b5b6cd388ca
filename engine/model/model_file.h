/*
 * model_file.h - a trained model on disk: model.safetensors and model.json.
 *
 * model.safetensors holds the weights under the names and shapes (OIHW) of the PyTorch originals
 * and, as metadata, all that is needed to run them: architecture, input size and how a picture
 * gets it, normalisation, class names. It depends on the spec alone. model.json beside it repeats
 * this for people and adds what the run measured.
 *
 * Errors: CORRUPT or INVALID with the tensor's name; file errors as in base/file.h.
 */
#ifndef ENGINE_MODEL_MODEL_FILE_H
#define ENGINE_MODEL_MODEL_FILE_H

#include "engine/base/safetensors.h"

enum { MODEL_NAME_BYTES = 64, MODEL_MAX_CHANNELS = 4, MODEL_MAX_RESIZE = 2048 };

struct model_info {
    char architecture[MODEL_NAME_BYTES];
    char dataset[MODEL_NAME_BYTES];
    int height, width, channels, classes;
    float mean[MODEL_MAX_CHANNELS], deviation[MODEL_MAX_CHANNELS];
    char **class_names; /* [classes] */
    int resize_size;   /* a picture's shorter side becomes this, its middle is taken; 0: squashed */
    int interpolation; /* enum interpolation */
};

void model_info_release(struct model_info *info); /* Zeroed or filled. */

/* Notes the last part of a data set's path, as UTF-8 whatever the name is: the same data set gives
 * the same bytes wherever its folder lies. */
void model_info_set_dataset(struct model_info *info, const char *path);

/* The .safetensors of a path that names it or its directory. */
MUST_CHECK enum status model_weights_path(char out[FILE_PATH_BYTES], const char *path,
                                          struct error *err);

/* The metadata of a weights file as safetensors notes. */
enum { MODEL_NOTE_COUNT = 12 };
struct model_notes {
    struct safetensors_note note[MODEL_NOTE_COUNT];
    struct arena arena;
};
void model_notes_init(struct model_notes *notes, const struct model_info *info); /* Fills it. */
void model_notes_release(struct model_notes *notes);                             /* Frees it. */

/* Reads the metadata of an open weights file; INVALID when it is missing or contradictory. */
MUST_CHECK enum status model_info_read(struct model_info *info, const struct safetensors *file,
                                       struct error *err);

#endif
