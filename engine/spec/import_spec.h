/*
 * import_spec.h - what is asked for when weights come in: one struct, one table, for the command
 * line and the query of POST /models.
 *
 * Weights tell names and shapes. The input's size and normalisation and the classes' names come
 * from a data set, or from the other fields, which go before it.
 */
#ifndef ENGINE_SPEC_IMPORT_SPEC_H
#define ENGINE_SPEC_IMPORT_SPEC_H

#include "engine/spec/train_spec.h"

struct import_spec {
    char architecture[FIELD_TEXT_BYTES];
    char dataset[SPEC_TEXT_BYTES];
    int64_t height, width, classes; /* 0: not given */
    struct text_list mean, deviation;
    int64_t resize_size; /* 0: not given */
    int interpolation;   /* enum interpolation */
    char name[SPEC_TEXT_BYTES];
    /* command line only */
    char in[SPEC_TEXT_BYTES], out[SPEC_TEXT_BYTES];
};

extern const struct field_table import_spec_table;

#endif
