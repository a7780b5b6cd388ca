/*
 * parallel.h - work on many items by as many threads as the process may use processors.
 *
 * Threads: each call starts its own and ends them.
 */
#ifndef ENGINE_BASE_PARALLEL_H
#define ENGINE_BASE_PARALLEL_H

#include <stdint.h>

enum { PARALLEL_MAX_THREADS = 256 };

/* Processors that this process may use, 1 to PARALLEL_MAX_THREADS. */
int parallel_processors(void);

/* Does its part of the work on one item; called from several threads at a time. */
typedef void parallel_fn(void *ctx, int64_t index);

/* Calls each for 0..count-1, every index once and in no order, and returns when all is done. The
 * calling thread takes part, so it works where no thread can be started too. */
void parallel_each(int64_t count, parallel_fn *each, void *ctx);

#endif
