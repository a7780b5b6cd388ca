/*
 * deliverer.h - the thread that sends what waits in the webhooks' outboxes.
 *
 * It takes messages whose time has come for a lease, several at once but few of one webhook, signs
 * and sends them, and settles each: delivered at a 2xx, given up after the last of
 * LIMIT_MESSAGE_TRIES, tried again later otherwise. A 410 disables the webhook. Several servers may
 * do this at once; a message is settled by the one that took it, or taken again when its lease is
 * over.
 *
 * Ownership: deliverer_create ... deliverer_free, before what it was given.
 * Errors:    logged, once until it goes well again.
 * Threads:   one of its own; the counts may be read by any.
 */
#ifndef SERVICE_WEBHOOK_DELIVERER_H
#define SERVICE_WEBHOOK_DELIVERER_H

#include "api/limits.h"
#include "service/common/config.h"
#include "service/store/webhooks.h"

struct deliverer;

/* What becomes of a message whose earlier `tries` failed, by the answer to one more (0: none). */
enum outcome deliverer_judge(int64_t tries, int http_status);

/* How long it waits for the next, after OUTCOME_AGAIN; retry_ms is the setting webhook_retry_ms. */
int64_t deliverer_delay_ms(int64_t tries, int64_t retry_ms);

/* Starts the thread. */
struct deliverer *deliverer_create(const struct config *config, struct redis_pool *pool);

/* Breaks off what is on its way, which waits again, and frees; NULL is allowed. */
void deliverer_free(struct deliverer *deliverer);

/* Tries since the start, by how they ended. */
struct deliverer_counts {
    int64_t delivered, failed, given_up;
};
struct deliverer_counts deliverer_counts(struct deliverer *deliverer); /* As of now. */

#endif
