/*
 * settle.h - how a run ends. Private to run.c and settle.c.
 *
 * Threads: the run's own.
 */
#ifndef SERVICE_WORKER_SETTLE_H
#define SERVICE_WORKER_SETTLE_H

#include "service/store/job_log.h"
#include "service/worker/reporter.h"
#include "service/worker/run.h"

/* One claim being carried out. */
struct run {
    const struct config *config;
    struct redis_pool *pool;
    const struct claim *claim;
    struct reporter reporter;
    struct outbox outbox;
    struct job_log log;
    int lock_fd;
    bool told_start;
    enum verdict verdict; /* as this thread last saw it */
    char folder[FILE_PATH_BYTES], kept[FILE_PATH_BYTES], dataset[FILE_PATH_BYTES],
        teacher[FILE_PATH_BYTES], init[FILE_PATH_BYTES];
    struct train_progress progress;
    struct train_result result;
};

/* A sign of life; takes and returns the reporter's verdict. */
static inline enum verdict run_look(struct run *run, const struct train_progress *progress) {
    return run->verdict = reporter_tick(&run->reporter, progress);
}

/* Makes the trained weights the job's model. */
MUST_CHECK enum status run_publish_model(struct run *run, struct error *err);

/* Ends the claim as status and the verdict say: finish, fail, give back, or nothing. */
enum run_end run_settle(struct run *run, enum status status, const struct error *err);

#endif
