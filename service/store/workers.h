/*
 * workers.h - which workers there are.
 *
 * A worker announces itself again and again; its hash in Redis expires WORKER_KEEP_MS after the
 * last time. Times are those of the Redis server.
 *
 * Ownership: a list is the caller's and released with its function.
 * Errors:    UNAVAILABLE when Redis does not answer; CORRUPT when it holds something else.
 * Threads:   any number share a pool.
 */
#ifndef SERVICE_STORE_WORKERS_H
#define SERVICE_STORE_WORKERS_H

#include "api/worker.h"
#include "service/store/queue.h"

enum { WORKER_KEEP_MS = 60 * 60 * 1000 };

/* What a worker says of itself. */
struct announcement {
    const struct worker_name *worker;
    const struct worker_card *card; /* state, times and job are not looked at */
    int64_t lost_after_ms;          /* not heard of for so long, it counts as lost */
    bool ended;                     /* this is the last one */
};

/* Says it; for an end only where no new instance has the name. */
MUST_CHECK enum status workers_announce(struct redis_pool *pool, const struct announcement *said,
                                        struct error *err);

struct worker_list {
    int count;
    struct worker_card *item;
};

/* The workers that were heard of within WORKER_KEEP_MS, by name. */
MUST_CHECK enum status workers_list(struct redis_pool *pool, struct worker_list *list,
                                    struct error *err);
void worker_list_release(struct worker_list *list); /* Zeroed or filled. */

#endif
