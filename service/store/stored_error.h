/*
 * stored_error.h - errors about files of the data directory, as clients may see them.
 *
 * Threads: pure functions, but for looking whether a folder is there.
 */
#ifndef SERVICE_STORE_STORED_ERROR_H
#define SERVICE_STORE_STORED_ERROR_H

#include "engine/base/status.h"

/* What is missing in a folder that is there is damaged, not unknown: NOT_FOUND becomes CORRUPT, in
 * err, too, which may be NULL. Returns the status. */
enum status stored_error(const char *folder, enum status status, struct error *err);

/* Takes the data directory out of a text, in place: paths in it begin below it then. */
void stored_error_hide(const char *data, char *text);

#endif
