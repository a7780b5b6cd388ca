/*
 * secret.h - passwords and keys out of files, so that they stand on no command line and in no log.
 *
 * A file that everyone can read is refused. Messages name the file, never what is in it.
 *
 * Ownership: the text is the caller's; secret_free wipes it.
 * Errors:    INVALID with the setting as field.
 * Threads:   pure functions.
 */
#ifndef SERVICE_COMMON_SECRET_H
#define SERVICE_COMMON_SECRET_H

#include "engine/base/status.h"

#include <stddef.h>

/* Reads a text file of 1 to max bytes, which the setting `field` names. */
MUST_CHECK enum status secret_read(char **out, const char *field, const char *path, size_t max,
                                   struct error *err);

/* The same for a single line, whose end is taken off. */
MUST_CHECK enum status secret_read_line(char **out, const char *field, const char *path, size_t max,
                                        struct error *err);

void secret_free(char *secret); /* NULL is allowed. */

#endif
