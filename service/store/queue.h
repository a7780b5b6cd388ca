/*
 * queue.h - jobs as workers see them: claim, renew, publish, and end a claim.
 *
 * A claim is a lease with an attempt number. The lease ends by the time of the Redis server. Each
 * claim raises the attempt, and whoever holds the newest may write; writes with an older one are
 * CONFLICT. A worker is known by a name that outlives it (its slot on its machine) and by an
 * instance, which does not: when a new instance of a name claims, the job of the one before waits
 * again at once; when the same instance claims again, it gets the claim whose answer it missed.
 *
 * Ownership: a struct claim is the caller's storage; end it with exactly one of finish, fail,
 *            release, or forget it when a call said CONFLICT.
 * Errors:    UNAVAILABLE when Redis does not answer (repeat the call); CONFLICT when the claim is
 *            no longer held; NOT_FOUND when the job is gone.
 * Threads:   any number share a pool.
 */
#ifndef SERVICE_STORE_QUEUE_H
#define SERVICE_STORE_QUEUE_H

#include "service/store/jobs.h"

/* Who claims. */
struct worker_name {
    char name[JOB_WORKER_BYTES];
    char instance[ID_BYTES];
    const struct text_list *devices; /* by name, of jobs that it can run; NULL: none by name */
};

struct claim {
    struct job job; /* as of the claim; id and attempt are the claim's identity */
    int64_t published_train_step, published_eval_step; /* the last of each phase; -1: none */
};

/* Takes the job that waits first and asks for no device, or for one that the worker has; NOT_FOUND
 * when none does. A job that was lost max_lost times
 * fails instead. */
MUST_CHECK enum status queue_claim(struct redis_pool *pool, const struct worker_name *worker,
                                   int64_t lease_ms, int64_t max_lost, struct claim *claim,
                                   struct error *err);

/* Prolongs the lease to lease_ms from now and stores the progress; wish is what the users want. */
MUST_CHECK enum status queue_renew(struct redis_pool *pool, const struct claim *claim,
                                   int64_t lease_ms, const struct job_progress *progress,
                                   enum job_request *wish, struct error *err);

/* Publishes a point (seq and time are given by the store) once: OK also when its phase and step
 * have been published already. Points of a phase must come in order. */
MUST_CHECK enum status queue_publish(struct redis_pool *pool, const struct claim *claim,
                                     const struct point *point, struct error *err);

/* The job succeeded and has this model. */
MUST_CHECK enum status queue_finish(struct redis_pool *pool, const struct claim *claim,
                                    const char *model, bool reproducible, struct error *err);

/* The job cannot succeed. */
MUST_CHECK enum status queue_fail(struct redis_pool *pool, const struct claim *claim,
                                  const struct job_error *error, struct error *err);

/* Gives the job back, which costs it nothing: it is cancelled or paused if that was wished, and
 * waits again otherwise. state tells which. */
MUST_CHECK enum status queue_release(struct redis_pool *pool, const struct claim *claim,
                                     enum job_state *state, struct error *err);

/* What the reaper did. */
struct reaped {
    int requeued, failed, ended; /* ended: as wished, cancelled or paused */
    int repaired;                /* index entries that did not agree with the job */
};

/* Takes jobs away from workers whose lease ran out, and repairs running jobs without a lease,
 * queued ones that do not wait, and those that wait for a job that has ended. Any number of reapers
 * may run. */
MUST_CHECK enum status queue_reap(struct redis_pool *pool, int64_t max_lost, struct reaped *reaped,
                                  struct error *err);

#endif
