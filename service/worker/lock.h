/*
 * lock.h - the lock of a job's folder.
 *
 * Errors: CONFLICT while another process holds it; file errors as in base/file.h.
 */
#ifndef SERVICE_WORKER_LOCK_H
#define SERVICE_WORKER_LOCK_H

#include "engine/base/file.h"

/* Makes the folder if it is missing and locks it for this process; close(*fd) unlocks. */
MUST_CHECK enum status lock_folder(const char *folder, int *fd, struct error *err);

#endif
