/*
 * presence.h - how a worker makes itself known in Redis, for those who look after the service.
 *
 * It announces itself every third of a lease, every second at most, from wherever it renews its
 * claim or looks at the queue. Nothing depends on it: what cannot be said is said the next time.
 *
 * Ownership: a struct presence is the caller's; config, slot, pool and notifier must outlive it.
 * Threads:   one at a time: the reporter's while there is one, else the worker's.
 */
#ifndef SERVICE_WORKER_PRESENCE_H
#define SERVICE_WORKER_PRESENCE_H

#include "service/common/config.h"
#include "service/common/notify.h"
#include "service/store/workers.h"

struct presence {
    struct redis_pool *pool;
    const struct worker_name *worker;
    struct worker_card card;
    int64_t lease_ms, period_ms;
    int64_t due_ns;            /* when to say it again, monotonic */
    struct notifier *notifier; /* the service manager's */
};

/* Looks at the machine: which devices open here, and what they are. */
void presence_init(struct presence *presence, const struct config *config, struct redis_pool *pool,
                   const struct worker_name *worker, struct notifier *notifier);

/* Tells the service manager, which needs no Redis. To be called often; NULL is allowed. */
void presence_alive(struct presence *presence);

void presence_tell(struct presence *presence);  /* When it is time. */
void presence_leave(struct presence *presence); /* The worker ends. */

#endif
