/*
 * record.h - graphs of the emulated device: launches that are kept and run again, as CUDA does it.
 *
 * Ownership: record_end gives a graph, record_free ends it.
 */
#ifndef TESTS_GPU_EMULATE_RECORD_H
#define TESTS_GPU_EMULATE_RECORD_H

#ifdef __cplusplus
extern "C" {
#endif

void record_begin(void); /* From here on launches are kept instead of run. */
void *record_end(void);
void record_replay(const void *graph); /* Runs them in their order. */
void record_free(void *graph);

#ifdef __cplusplus
}
#endif
#endif
