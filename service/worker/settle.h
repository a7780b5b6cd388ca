/*
 * settle.h - a run, what it is to do, and how it ends. Private to run.c, predict.c and settle.c.
 *
 * Threads: the run's own.
 */
#ifndef SERVICE_WORKER_SETTLE_H
#define SERVICE_WORKER_SETTLE_H

#include "api/cards.h"
#include "service/store/job_log.h"
#include "service/worker/reporter.h"
#include "service/worker/run.h"

struct run;

/* What a run has come to. */
struct outcome {
    char model[ID_BYTES]; /* that it made, or "" */
    char weights_sha256[CARD_SHA256_BYTES];
    double top1;
    bool reproducible;
};

/* What a method asks of the worker. */
struct errand {
    /* True if an earlier attempt finished the work but ended before it could report it. */
    bool (*is_done)(const struct run *run);
    /* Does it and hands the result in. */
    enum status (*work)(struct run *run, struct error *err);
    /* What came out, once it has been handed in. */
    enum status (*describe)(const struct run *run, struct outcome *outcome, struct error *err);
};
extern const struct errand errand_train, errand_predict;

/* One claim being carried out. */
struct run {
    const struct errand *errand;
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
        teacher[FILE_PATH_BYTES], init[FILE_PATH_BYTES], model[FILE_PATH_BYTES];
    struct train_progress progress;
    struct train_result result;
};

/* A sign of life; takes and returns the reporter's verdict. */
static inline enum verdict run_look(struct run *run, const struct train_progress *progress) {
    return run->verdict = reporter_tick(&run->reporter, progress);
}

/* Publishes a point of the learning curve, once over all attempts. */
MUST_CHECK enum status run_point(struct run *run, const struct metric_point *point,
                                 struct error *err);

/* Ends the claim as status and the verdict say: finish, fail, give back, or nothing. */
enum run_end run_settle(struct run *run, enum status status, const struct error *err);

#endif
