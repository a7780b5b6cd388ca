/*
 * recipe.h - arguments from a file: key=value lines, as `recipe=FILE` names them.
 *
 * Empty lines and lines that begin with # are skipped. The command line wins: what it says, in
 * whichever way (gamma for temperature, say), replaces what the file says.
 *
 * Errors: as of the arguments themselves, with the file's name in front; file errors.
 */
#ifndef ENGINE_CLI_RECIPE_H
#define ENGINE_CLI_RECIPE_H

#include "engine/cli/command.h"

/* Sets options from the recipe that one of the command line's assignments names, if one does; the
 * assignments themselves are to be applied afterwards. */
MUST_CHECK enum status recipe_apply(const struct command *command, void *options, int count,
                                    char *const *assignments, struct error *err);

#endif
