/*
 * child.h - runs another program (curl, tar, md5sum) without a shell and waits for it.
 *
 * Errors:  UNSUPPORTED when there is no such program, IO when it cannot be started.
 * Threads: safe; the child gets no file of the caller's but what is said here.
 */
#ifndef ENGINE_DATA_CHILD_H
#define ENGINE_DATA_CHILD_H

#include "engine/base/status.h"

enum { CHILD_OUTPUT_BYTES = 256, CHILD_TICK_MS = 100 };

/* Called every CHILD_TICK_MS while the program runs. */
typedef void child_tick_fn(void *ctx);

struct child_result {
    int exit_code;                   /* 128 + signal if one ended it */
    char output[CHILD_OUTPUT_BYTES]; /* the beginning of standard output and error, trimmed */
};

/* Runs argv[0], found along PATH, with these arguments and no input. A failure of the program
 * itself is a result, not an error. tick may be NULL. */
MUST_CHECK enum status child_run(const char *const *argv, child_tick_fn *tick, void *ctx,
                                 struct child_result *result, struct error *err);

#endif
