/*
 * guard.h - keeps what a job names from being removed between the look for it and the submission.
 *
 * A lock of the data directory (<data>/inputs.lock), between threads and processes: who looks
 * models and data sets up to name them in a job holds it together with others, who removes one or
 * moves an alias holds it alone. It is held for as long as some files and Redis take to answer,
 * and never while a request is suspended: that one may need the thread that waits for it.
 *
 * Errors:  file errors as in base/file.h.
 * Threads: any. Blocking.
 */
#ifndef SERVICE_STORE_GUARD_H
#define SERVICE_STORE_GUARD_H

#include "engine/base/file.h"

/* Waits for the lock, to name things. *guard is then for guard_give; -1 on failure. */
MUST_CHECK enum status guard_share(int *guard, const char *data, struct error *err);

/* Waits for the lock, to remove or move things. */
MUST_CHECK enum status guard_take(int *guard, const char *data, struct error *err);

void guard_give(int *guard); /* Unlocks; *guard becomes -1, which is allowed. */

#endif
