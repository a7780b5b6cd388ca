/*
 * run.h - one claim from start to end: train, hand in the model, settle the claim.
 *
 * The run works in the job's folder, which attempts share so that each resumes the last one's
 * checkpoint. A lock file there sees to it that only one attempt writes at a time, also when an old
 * one is late to notice that it has lost its claim.
 *
 * Threads: one run at a time, in the thread that calls; it blocks until the claim is settled.
 */
#ifndef SERVICE_WORKER_RUN_H
#define SERVICE_WORKER_RUN_H

#include "service/common/config.h"
#include "service/store/queue.h"
#include "service/worker/presence.h"

enum run_end {
    RUN_SETTLED, /* finished, failed, given back, or taken over by others */
    RUN_LAPSED,  /* Redis was away for too long: claim again */
    RUN_BROKEN   /* the device is lost: the process must end, and the lease runs out */
};

/* Carries out a claim that was asked for at claimed_ns (monotonic); presence may be NULL. */
enum run_end run_claim(const struct config *config, struct redis_pool *pool,
                       const struct claim *claim, int64_t claimed_ns, struct presence *presence);

#endif
