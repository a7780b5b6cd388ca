#include "engine/spec/import_spec.h"

#define ROW(member) FIELD_MEMBER(struct import_spec, member)
#define NUMBERS(member, sentence)                                                                  \
    { ROW(member), .type = FIELD_TEXTS, .min = 1, .max = 32, .doc = sentence }
#define SIZE(member, most, sentence)                                                               \
    { ROW(member), .type = FIELD_INT, .min = 0, .max = most, .fallback = "0", .doc = sentence }

static const struct field rows[] = {
    {ROW(architecture), .type = FIELD_TEXT, .min = 1, .max = FIELD_TEXT_BYTES - 1,
     .flags = FIELD_REQUIRED, .doc = "The network that the weights are of."},
    {ROW(dataset), .type = FIELD_TEXT, .max = 500,
     .doc = "Data set that says input size, normalisation and classes."},
    SIZE(height, 1024, "Height of the input in pixels; 0: as the data set's."),
    SIZE(width, 1024, "Width of the input in pixels; 0: as the data set's."),
    SIZE(classes, 65536, "Classes that the weights must tell apart; 0: as many as they do."),
    NUMBERS(mean, "Mean of each channel, of pixels in 0..1, as in the training."),
    NUMBERS(deviation, "Standard deviation of each channel, likewise."),
    SIZE(
        resize_size, 2048,
        "Shorter side of a picture whose middle is the input; 0: height * 256 / 224 where the data "
        "set's pictures differ in size, else squashed."),
    {ROW(interpolation), .type = FIELD_ENUM, .choices = interpolation_names, .fallback = "bilinear",
     .doc = "How pictures are resized, antialiased."},
    {ROW(name), .type = FIELD_TEXT, .max = 100, .flags = FIELD_JOB,
     .doc = "Any text to find the model by."},
    {ROW(in), .type = FIELD_TEXT, .max = 500, .flags = FIELD_CLI,
     .doc = "A safetensors file of the network's state dict."},
    {ROW(out), .type = FIELD_TEXT, .max = 500, .flags = FIELD_CLI,
     .doc = "Folder that receives model.safetensors and model.json."},
};
const struct field_table import_spec_table = FIELD_TABLE("import", rows);
