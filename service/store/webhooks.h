/*
 * webhooks.h - webhooks and their outboxes: messages that were made in the same script as the
 * transition they tell of, and that wait until they have been sent.
 *
 * A server takes messages for a time, sends them, and says what became of each. One that it does
 * not settle in that time is taken again, by whatever server: a message arrives at least once.
 *
 * Ownership: lists are the caller's and released with their functions.
 * Errors:    UNAVAILABLE when Redis does not answer; NOT_FOUND for an unknown id; CONFLICT as each
 *            says; CORRUPT when Redis holds something else.
 * Threads:   any number share a pool.
 */
#ifndef SERVICE_STORE_WEBHOOKS_H
#define SERVICE_STORE_WEBHOOKS_H

#include "api/job.h"
#include "api/limits.h"
#include "api/webhook.h"
#include "service/store/redis.h"

enum { MESSAGE_ID_BYTES = 64, MESSAGE_KIND_BYTES = 32 };

/* Registers one under a fresh id with a secret; CONFLICT for one more than LIMIT_WEBHOOKS. The card
 * has the secret. */
MUST_CHECK enum status webhooks_create(struct redis_pool *pool, const char *id, const char *secret,
                                       const struct webhook_request *request,
                                       struct webhook_card *card, struct error *err);

struct webhook_list {
    int count;
    struct webhook_card *item; /* without secrets */
    char next[ID_BYTES];       /* cursor of the next page, "" at the end */
};

/* Up to limit webhooks after the id `after` (NULL: from the first), oldest first. */
MUST_CHECK enum status webhooks_list(struct redis_pool *pool, const char *after, int limit,
                                     struct webhook_list *list, struct error *err);
void webhook_list_release(struct webhook_list *list); /* Zeroed or filled. */

/* One of them, without its secret. */
MUST_CHECK enum status webhooks_get(struct redis_pool *pool, const char *id,
                                    struct webhook_card *card, struct error *err);

/* Removes it with what waits for it. */
MUST_CHECK enum status webhooks_remove(struct redis_pool *pool, const char *id, struct error *err);

/* Puts a message of kind WEBHOOK_TEST into its outbox; CONFLICT when it is disabled. */
MUST_CHECK enum status webhooks_test(struct redis_pool *pool, const char *id, const char *message,
                                     struct error *err);

/* A message that was taken. */
struct delivery {
    char hook[ID_BYTES];
    char url[WEBHOOK_URL_BYTES], secret[WEBHOOK_SECRET_BYTES];
    char message[MESSAGE_ID_BYTES]; /* the same for each try */
    char kind[MESSAGE_KIND_BYTES];
    int64_t at_ms, tries; /* when it happened; tries that have failed */
    struct job *job;      /* as it was then; NULL for a test */
};

struct delivery_list {
    int count;
    struct delivery *item;
};
void delivery_list_release(struct delivery_list *list); /* Zeroed or filled. */

/* What may be taken. */
struct take {
    int64_t lease_ms;         /* nobody else takes them for so long */
    int most, most_of_a_hook; /* altogether; with those that the caller has already */
    int busy_count;
    const char *const *busy; /* hooks of those that it has already, one a message */
};

/* Messages whose time has come; of webhooks that have fewer than most_of_a_hook in work, or none if
 * the last try failed. All webhooks have their turn, however few are taken. */
MUST_CHECK enum status webhooks_take(struct redis_pool *pool, const struct take *take,
                                     struct delivery_list *list, struct error *err);

enum outcome {
    OUTCOME_DELIVERED,
    OUTCOME_AGAIN,    /* failed, to be tried after delay_ms */
    OUTCOME_GIVEN_UP, /* failed for the last time */
    OUTCOME_GONE,     /* the receiver wants nothing any more: the webhook is disabled */
    OUTCOME_RETURNED, /* was not tried */
    OUTCOME_COUNT
};

struct settlement {
    const char *hook, *message;
    enum outcome outcome;
    int64_t delay_ms;
    int http_status;   /* 0: no answer */
    const char *error; /* or "" */
};

/* Says what became of one; nothing when it has been settled or its webhook removed meanwhile. */
MUST_CHECK enum status webhooks_settle(struct redis_pool *pool, const struct settlement *settlement,
                                       struct error *err);

#endif
