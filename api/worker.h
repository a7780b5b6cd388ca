/*
 * worker.h - a worker as it announces itself and is shown.
 *
 * name outlives the worker's process, pid and since are those of the process. The worker fills what
 * it knows of itself; the store adds state, times and job.
 *
 * Threads: values and a constant table.
 */
#ifndef API_WORKER_H
#define API_WORKER_H

#include "api/job.h"
#include "engine/base/clock.h"

enum worker_state { WORKER_IDLE, WORKER_RUNNING, WORKER_ENDED, WORKER_LOST, WORKER_STATES };
extern const char *const worker_states[]; /* their words; NULL ends them */

enum { WORKER_HOST_BYTES = 65, WORKER_VERSION_BYTES = 32, WORKER_ENGINE_BYTES = 320 };

struct worker_card {
    char name[JOB_WORKER_BYTES];
    int state; /* enum worker_state */
    char host[WORKER_HOST_BYTES];
    int64_t pid;
    char version[WORKER_VERSION_BYTES];
    char engine[WORKER_ENGINE_BYTES]; /* identity of what it trains with by default */
    struct text_list devices;         /* that a job may ask for here */
    char since[CLOCK_TEXT_BYTES];     /* RFC 3339 */
    char heard[CLOCK_TEXT_BYTES];     /* RFC 3339 */
    char job[ID_BYTES];               /* that it has, or "" */
    int64_t attempt;                  /* of that job; 0 without one */
};
extern const struct field_table worker_card_table;

void worker_card_add_json(const struct worker_card *card, struct str *out); /* An object. */

#endif
