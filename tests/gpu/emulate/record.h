/*
 * record.h - graphs of the emulated device: launches that are kept and run again, as CUDA does it.
 *
 * Ownership: record_end gives a graph, record_free ends it.
 */
#ifndef TESTS_GPU_EMULATE_RECORD_H
#define TESTS_GPU_EMULATE_RECORD_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void record_begin(void); /* From here on launches are kept instead of run. */
void *record_end(void);
void record_replay(const void *graph); /* Runs them in their order. */
void record_free(void *graph);

/* How many launches there have been, run at once or recorded. */
size_t record_launches(void);

/* Runs what a library would do, or keeps it with a copy of its arguments like a launch. */
void record_work(void (*work)(const void *args), const void *args, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
