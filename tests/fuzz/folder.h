/*
 * folder.h - a folder for targets whose reader wants files; it is removed when the program ends.
 *
 * Errors: none, what fails ends the program.
 */
#ifndef TESTS_FUZZ_FOLDER_H
#define TESTS_FUZZ_FOLDER_H

#include "engine/base/file.h"

const char *folder_empty(void);                                      /* Without any file. */
void folder_path(char path[FILE_PATH_BYTES], const char *name);      /* Of a file in it. */
void folder_put(const char *name, const uint8_t *bytes, size_t len); /* Writes a file. */

#endif
