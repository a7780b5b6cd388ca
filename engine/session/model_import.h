/*
 * model_import.h - weights that another program has trained become a model: model.safetensors and
 * model.json, as a training run leaves them.
 *
 * Weights tell names and shapes. The input's size and normalisation and the classes' names come
 * from a data set, or from options, which go before it.
 *
 * Errors: INVALID with the option's name as field; what does not fit as in engine/model/bare.h.
 */
#ifndef ENGINE_SESSION_MODEL_IMPORT_H
#define ENGINE_SESSION_MODEL_IMPORT_H

#include "engine/model/bare.h"
#include "engine/spec/train_spec.h"

/* First member of what has these options. */
struct import_options {
    char architecture[MODEL_NAME_BYTES];
    char dataset[SPEC_TEXT_BYTES];
    int64_t height, width, classes; /* 0: not given */
    struct text_list mean, deviation;
    int64_t resize_size; /* 0: not given */
    int interpolation;   /* enum interpolation */
};

#define IMPORT_ROW(member) FIELD_MEMBER(struct import_options, member)
#define IMPORT_ROWS                                                                                \
    {IMPORT_ROW(architecture),                                                                     \
     .type = FIELD_TEXT,                                                                           \
     .min = 1,                                                                                     \
     .max = MODEL_NAME_BYTES - 1,                                                                  \
     .flags = FIELD_REQUIRED,                                                                      \
     .doc = "The network that these weights are of."},                                             \
        {IMPORT_ROW(dataset), .type = FIELD_TEXT, .max = 500,                                      \
         .doc = "Data set that says input size, normalisation and classes."},                      \
        {IMPORT_ROW(height), .type = FIELD_INT,                                                    \
         .min = 0,           .max = 1024,                                                          \
         .fallback = "0",    .doc = "Height of the input in pixels; 0: as the data set's."},       \
        {IMPORT_ROW(width), .type = FIELD_INT,                                                     \
         .min = 0,          .max = 1024,                                                           \
         .fallback = "0",   .doc = "Width of the input in pixels; 0: as the data set's."},         \
        {IMPORT_ROW(classes),                                                                      \
         .type = FIELD_INT,                                                                        \
         .min = 0,                                                                                 \
         .max = 65536,                                                                             \
         .fallback = "0",                                                                          \
         .doc = "Classes that the weights must tell apart; 0: as many as they do."},               \
        {IMPORT_ROW(mean), .type = FIELD_TEXTS, .min = 1, .max = 32,                               \
         .doc = "Mean of each channel, of pixels in 0..1, as in training."},                       \
        {IMPORT_ROW(deviation), .type = FIELD_TEXTS, .min = 1, .max = 32,                          \
         .doc = "Standard deviation of each channel, likewise."},                                  \
        {IMPORT_ROW(resize_size),                                                                  \
         .type = FIELD_INT,                                                                        \
         .min = 0,                                                                                 \
         .max = 2048,                                                                              \
         .fallback = "0",                                                                          \
         .doc =                                                                                    \
             "Shorter side of a picture whose middle is the input; 0: height * 256 / 224 where "   \
             "the data set's pictures differ in size, else squashed."},                            \
    {                                                                                              \
        IMPORT_ROW(interpolation), .type = FIELD_ENUM, .choices = "bilinear bicubic",              \
                                   .fallback = "bilinear",                                         \
                                   .doc = "How pictures are resized, antialiased."                 \
    }
extern const struct field_table import_options_table; /* these rows alone */

/* Fills info, released by the caller, with what is known of a data set: a folder's, or by name one
 * whose statistics and classes are published (it says no height and width). Where pictures differ
 * in size, as ImageNet's, the input is 224x224, the middle of 256. Zeroes for "". */
MUST_CHECK enum status import_info_find(struct model_info *info, const char *dataset,
                                        struct error *err);

/* Puts the options into info, which holds what a data set says, or is zeroed without one. */
MUST_CHECK enum status import_info_complete(struct model_info *info,
                                            const struct import_options *options,
                                            struct error *err);

/* Makes out_folder/model.safetensors of the weights in path. misfits (not NULL) receives what does
 * not fit; nothing is written then. */
MUST_CHECK enum status model_import(const char *path, const struct model_info *info,
                                    const char *out_folder, struct misfits *misfits,
                                    struct error *err);

#endif
