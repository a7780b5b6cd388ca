/*
 * rig.h - a program of any architecture with random weights and pictures, for explain, diff and
 * bench.
 *
 * A plan is what the options say: spec, networks and the program. A rig is a plan on a device,
 * filled with weights, pictures and labels that are the same on every device.
 *
 * Ownership: open ... close; a rig borrows its plan.
 */
#ifndef ENGINE_CLI_RIG_H
#define ENGINE_CLI_RIG_H

#include "engine/backend/exec.h"
#include "engine/cli/command.h"
#include "engine/session/resident.h"

/* First member of the options of a command that builds programs. */
struct rig_options {
    char student[MODEL_NAME_BYTES], teacher[MODEL_NAME_BYTES];
    int method;
    int64_t batch_size, classes, height, width, channels;
    int precision, mode, optimizer;
    double clip_norm;
    int64_t threads;
    bool resident; /* no row: batches come from a data set on the device, itself of one batch */
};

enum rig_mode { RIG_TRAIN, RIG_INFER };

#define RIG_ROW(member) FIELD_MEMBER(struct rig_options, member)
#define RIG_NUMBER(member, lowest, highest, normal, sentence)                                      \
    {                                                                                              \
        RIG_ROW(member), .type = FIELD_INT, .min = lowest, .max = highest, .fallback = normal,     \
                         .doc = sentence                                                           \
    }
#define RIG_ROWS                                                                                   \
    {RIG_ROW(student), .type = FIELD_TEXT, .max = 63, .doc = "Architecture of the student."},      \
        {RIG_ROW(teacher), .type = FIELD_TEXT, .max = 63,                                          \
         .doc = "Architecture of the teacher; all methods but ce have one."},                      \
        {RIG_ROW(method), .type = FIELD_ENUM, .choices = loss_names, .fallback = "ce",             \
         .doc = "The loss; temperature 4."},                                                       \
        RIG_NUMBER(batch_size, 1, 4096, "64", "Pictures in a step."),                              \
        RIG_NUMBER(classes, 0, 65536, "0",                                                         \
                   "Classes to tell apart; 0: as the student's original."),                        \
        RIG_NUMBER(height, 0, 1024, "0", "Height of the pictures; 0: as the student's original."), \
        RIG_NUMBER(width, 0, 1024, "0", "Width of the pictures; 0: as the student's original."),   \
        RIG_NUMBER(channels, 1, MODEL_MAX_CHANNELS, "3", "Channels of the pictures."),             \
        {RIG_ROW(precision), .type = FIELD_ENUM, .choices = precision_names, .fallback = "f32",    \
         .doc = "Numbers to compute with."},                                                       \
        {RIG_ROW(optimizer), .type = FIELD_ENUM, .choices = optimizer_names, .fallback = "sgd",    \
         .doc = "What updates the weights."},                                                      \
        {RIG_ROW(clip_norm), .type = FIELD_FLOAT, .max = 1e6, .fallback = "0",                     \
         .doc = "Largest norm of the gradient; 0: no limit."},                                     \
        {RIG_ROW(mode), .type = FIELD_ENUM, .choices = FIELD_WORDS("train", "infer"),              \
         .fallback = "train",                                                                      \
         .doc = "A training step, or a forward pass with the cross entropy."},                     \
        OPTION_THREADS(struct rig_options)

struct rig_plan {
    struct train_spec spec;
    struct network student, teacher; /* teacher is empty for ce */
    struct run_program run;
    bool training; /* gradients and momentum are needed */
};

/* Builds the program that the options describe. */
MUST_CHECK enum status rig_plan_open(struct rig_plan *plan, const struct rig_options *options,
                                     struct error *err);
void rig_plan_close(struct rig_plan *plan); /* Zeroed or open. */

struct rig {
    const struct rig_plan *plan;
    struct device device;
    struct params params[2];
    struct dataset dataset; /* pictures and labels below */
    struct resident data;   /* empty: they are fed */
    struct exec *exec;
    struct step step;
    uint8_t *images; /* of a batch */
    int32_t *labels;
};

/* Makes a plan runnable and fills it; rig is zeroed storage. */
MUST_CHECK enum status rig_open(struct rig *rig, const struct rig_plan *plan, enum device_kind kind,
                                struct error *err);
void rig_close(struct rig *rig); /* Zeroed or open. */

/* Writes pictures and labels, as a loader's batch is; nothing where they lie on the device. */
void rig_feed(struct rig *rig);

#endif
