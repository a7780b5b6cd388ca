/*
 * reporter.h - keeps a claim alive and tells Redis how a run goes, from a thread of its own.
 *
 * The training thread never waits for Redis: tick leaves the progress and takes the verdict, point
 * leaves a point. The thread renews the lease as long as ticks come (a hung device stops ticking,
 * and its lease runs out), publishes points in order, and reads what users wish. While Redis is
 * away it tries again; the run goes on until the lease may have run out by this machine's clock.
 *
 * Ownership: a struct reporter is the caller's; start ... stop. claim, pool, outbox and presence
 *            must outlive it.
 * Threads:   tick and point from one thread, the rest from the one that started it.
 */
#ifndef SERVICE_WORKER_REPORTER_H
#define SERVICE_WORKER_REPORTER_H

#include "service/store/queue.h"
#include "service/worker/outbox.h"
#include "service/worker/presence.h"

/* What the run has to do. */
enum verdict {
    VERDICT_GO,
    VERDICT_CANCEL, /* a user wants it to end */
    VERDICT_PAUSE,  /* a user wants it to wait */
    VERDICT_LAPSED, /* Redis is away for longer than the lease: stop, and claim again later */
    VERDICT_GONE    /* another attempt has taken over, or the job is gone */
};

struct reporter {
    struct redis_pool *pool;
    const struct claim *claim;
    struct outbox *outbox;
    struct presence *presence; /* told beside the renewals; may be NULL */
    int64_t lease_ms, max_lost;
    int64_t hang_ms;    /* a training thread that is silent for so long ends the process */
    int64_t claimed_ns; /* when the claim was asked for */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct job_progress progress;
    int64_t ticked_ns; /* the last sign of life of the training thread */
    /* The lease lasts at least until then: this is counted from sending the claim or its renewal,
     * the server's end from receiving it. */
    int64_t lease_ends_ns;
    enum verdict verdict;
    bool stopping;
};

/* Starts the thread. The caller has set everything before `thread` and zeroed the rest. */
void reporter_start(struct reporter *reporter);
void reporter_stop(struct reporter *reporter); /* Ends the thread; tries nothing more. */

/* A sign of life with the progress so far (NULL: as before); returns what to do. */
enum verdict reporter_tick(struct reporter *reporter, const struct train_progress *progress);

void reporter_checkpoint(struct reporter *reporter, int64_t step); /* One was written. */

/* Renews from the calling thread, once, so that an end shows the progress it was reached with. */
void reporter_renew(struct reporter *reporter);

/* Wakes the thread to publish what was put into the outbox. */
void reporter_wake(struct reporter *reporter);

#endif
