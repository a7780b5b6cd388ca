/*
 * command.h - what a command of `distill` is: options described by a field table, and a function.
 *
 * main reads key=value arguments into a fresh options struct, prints help from the same table,
 * and turns the returned status into one line on stderr and an exit status. A new command is one
 * file with its struct, its table and its row, and a line in distill.c.
 *
 * Errors: a status with err->field set is a wrong argument: exit status 2, else 1; CANCELLED 130.
 */
#ifndef ENGINE_CLI_COMMAND_H
#define ENGINE_CLI_COMMAND_H

#include "engine/spec/train_spec.h"

/* Arguments without "=", for commands that take some. */
struct names {
    int count;
    char **item;
};

/* options is the command's own struct, filled from its table. */
typedef enum status command_run_fn(void *options, const struct names *names, struct error *err);

struct command {
    const char *name, *sentence;
    const char *names;       /* what arguments without "=" are, for help; NULL: none are allowed */
    const char *required[4]; /* fields that must be given; NULL ends them */
    const struct field_table *table;
    size_t options_bytes;
    unsigned refused; /* rows with these flags are unknown here */
    command_run_fn *run;
};

extern const struct command command_train, command_eval, command_predict, command_forward,
    command_gradients, command_loss, command_import, command_export, command_explain, command_diff,
    command_bench, command_data;

/* Rows that several commands have; object is the command's options struct. */
#define OPTION_DEVICE(object)                                                                      \
    {                                                                                              \
        FIELD_MEMBER(object, device), .type = FIELD_ENUM, .choices = device_names,                 \
                                      .fallback = "auto", .doc = "Backend to run on."              \
    }
#define OPTION_THREADS(object)                                                                     \
    {                                                                                              \
        FIELD_MEMBER(object, threads), .type = FIELD_INT, .min = 1, .max = 256, .fallback = "2",   \
                                       .doc = "Threads of the CPU backend."                        \
    }
#define OPTION_MODEL(object)                                                                       \
    {                                                                                              \
        FIELD_MEMBER(object, model), .type = FIELD_TEXT, .max = 500,                               \
                                     .doc = "The model: a folder or a .safetensors file."          \
    }

#endif
