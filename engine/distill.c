/*
 * distill.c - the engine at the command line: finds the command, reads its arguments, runs it.
 */
#include "engine/cli/command.h"
#include "engine/cli/interrupt.h"
#include "engine/cli/recipe.h"

#include "engine/backend/backend.h"
#include "engine/base/mem.h"
#include "engine/base/process.h"
#include "engine/session/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

static const struct command *const commands[] = {
    &command_train,     &command_eval, &command_predict, &command_forward,
    &command_gradients, &command_loss, &command_import,  &command_export,
    &command_explain,   &command_diff, &command_bench,   &command_data};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const char help_head[] =
    "distill - distils image classifiers: trains small networks from large ones\n"
    "\n"
    "usage: distill <command> key=value ...\n"
    "\n"
    "commands (distill <command> help=1 lists a command's arguments):\n";

static int print_help(void) {
    fputs(help_head, stdout);
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-9s %s\n", commands[i]->name, commands[i]->sentence);
    puts("\nbackends of this build (device=):");
    for (const struct backend *const *row = backend_table; *row; row++)
        printf("  %-9s %s\n", (*row)->name, (*row)->sentence);
    return EXIT_SUCCESS;
}

static const struct command *command_find(const char *name) {
    for (int i = 0; i < COMMANDS; i++)
        if (str_equal(commands[i]->name, name))
            return commands[i];
    return NULL;
}

/* What must be given, and that more may be. */
static void print_usage(const struct command *command) {
    printf("usage: distill %s", command->name);
    if (command->names)
        printf(" %s", command->names);
    for (int i = 0; command->required[i]; i++)
        printf(" %s=...", command->required[i]);
    puts(" [key=value ...]");
}

static int print_command_help(const struct command *command) {
    struct str text = STR_INIT;
    fields_add_help(command->table, command->refused, command->required, &text);
    print_usage(command);
    printf("%s\n\n%s", command->sentence, str_text(&text));
    str_release(&text);
    return EXIT_SUCCESS;
}

static bool is_help(const char *argument) {
    static const char *const words[] = {"help=1", "help", "--help", "-h", NULL};
    return str_index(words, argument) >= 0;
}

/* key=value; a path with "=" in it counts as a name when it has a "/" in front of that. */
static bool is_assignment(const char *argument) {
    size_t key = strspn(argument, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return key > 0 && argument[key] == '=';
}

static enum status check_required(const struct command *command, const void *options,
                                  struct error *err) {
    for (int i = 0; command->required[i]; i++) {
        const char *name = command->required[i];
        const struct field *field = field_find(command->table, name);
        CHECK(field);
        if (!field_is_given(field, options))
            return error_set_field(err, STATUS_INVALID, name, "%s= is required", name);
    }
    return STATUS_OK;
}

/* Sorts the arguments into assignments and names; both arrays have room for all. */
static int split_arguments(const struct command *command, int argc, char **argv, char **assignments,
                           struct names *names) {
    int count = 0;
    for (int i = 0; i < argc; i++) {
        if (command->names && !is_assignment(argv[i]))
            names->item[names->count++] = argv[i];
        else
            assignments[count++] = argv[i];
    }
    return count;
}

static int report(const struct command *command, enum status status, bool usage,
                  const struct error *err) {
    if (!status && (ferror(stdout) || fflush(stdout) != 0)) {
        fprintf(stderr, "distill %s: writing to the standard output failed\n", command->name);
        return EXIT_FAILED;
    }
    if (!status)
        return EXIT_SUCCESS;
    fprintf(stderr, "distill %s: %s\n", command->name, err->message);
    if (status == STATUS_CANCELLED)
        return EXIT_INTERRUPTED;
    return usage || err->field[0] ? EXIT_USAGE : EXIT_FAILED;
}

static int command_main(const struct command *command, int argc, char **argv) {
    struct error err = {0};
    struct names names = {.item = xcalloc((size_t)argc + 1, sizeof *names.item)};
    char **assignments = xcalloc((size_t)argc + 1, sizeof *assignments);
    void *options = xcalloc(1, command->options_bytes);
    int count = split_arguments(command, argc, argv, assignments, &names);
    fields_default(command->table, options);
    enum status status = recipe_apply(command, options, count, assignments, &err);
    if (!status)
        status =
            fields_parse_args(command->table, options, count, assignments, command->refused, &err);
    if (!status)
        status = check_required(command, options, &err);
    bool usage = status != STATUS_OK;
    if (!status)
        status = command->run(options, &names, &err);
    int code = report(command, status, usage, &err);
    free(options);
    free(assignments);
    free(names.item);
    return code;
}

static int unknown_command(const char *name) {
    fprintf(stderr, "distill: there is no command \"%s\"; distill help lists them\n", name);
    return EXIT_USAGE;
}

/* `distill help` and `distill help COMMAND`. */
static int help_main(const char *name) {
    const struct command *command = name ? command_find(name) : NULL;
    if (!name || is_help(name))
        return print_help();
    return command ? print_command_help(command) : unknown_command(name);
}

int main(int argc, char **argv) {
    process_wait_briefly(argv);
    if (argc < 2) {
        print_help();
        return EXIT_USAGE;
    }
    if (is_help(argv[1]))
        return help_main(argv[2]);
    if (str_equal(argv[1], "version") || str_equal(argv[1], "--version")) {
        printf("distill %s\n", trainer_version());
        return EXIT_SUCCESS;
    }
    const struct command *command = command_find(argv[1]);
    if (!command)
        return unknown_command(argv[1]);
    for (int i = 2; i < argc; i++)
        if (is_help(argv[i]))
            return print_command_help(command);
    interrupt_install();
    return command_main(command, argc - 2, argv + 2);
}
