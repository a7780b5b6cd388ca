/*
 * lock_file.h - an empty file in the data directory that processes lock with flock.
 *
 * Threads: any; each holder has a descriptor of its own.
 */
#ifndef SERVICE_STORE_LOCK_FILE_H
#define SERVICE_STORE_LOCK_FILE_H

#include "engine/base/status.h"

/* Opens the file of that name, made if it is missing. Closing it gives up what is held. */
MUST_CHECK enum status lock_file_open(int *fd, const char *data, const char *name,
                                      struct error *err);

/* Waits for LOCK_SH or LOCK_EX, also in place of what is held. */
MUST_CHECK enum status lock_file_wait(int fd, int operation, struct error *err);

#endif
