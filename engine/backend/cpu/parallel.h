/*
 * parallel.h - loops over fixed ranges on the threads that oneDNN uses too.
 *
 * The runtime is the one that oneDNN brings (GNU OpenMP), entered through its stable C interface
 * instead of pragmas: so there is one pool of threads, whichever compiler built this file.
 *
 * Threads: any, one at a time for each device.
 */
#ifndef ENGINE_BACKEND_CPU_PARALLEL_H
#define ENGINE_BACKEND_CPU_PARALLEL_H

#include <stdbool.h>
#include <stddef.h>

/* Works on items begin..end-1. */
typedef void parallel_task_fn(const void *context, int begin, int end);

/* Which of a loop's threads this one is: 0..threads-1. For its share of scratch memory. */
size_t parallel_worker(void);

/* Sets how many threads oneDNN takes when this thread calls it. */
void parallel_set_threads(int threads);

/* How many of the wanted threads the runtime really grants. */
int parallel_granted(int wanted);

/* Cuts 0..items-1 into one contiguous range a thread and waits for all. Less work than would pay
 * for waking threads (elements counts what is touched) stays on this one. */
void parallel_run(int threads, int items, size_t elements, parallel_task_fn *run,
                  const void *context);

/* The same item by item, for large ones whose results do not depend on the worker: a thread that is
 * done takes items from the ranges of others, which something else on this machine may have held
 * up. */
void parallel_share(int threads, int items, size_t elements, parallel_task_fn *run,
                    const void *context);

#endif
