/*
 * webhook.h - who wants to be told over HTTP what happens to jobs.
 *
 * A message has one of the kinds below. It is sent as {"type", "timestamp", "data"}, signed as
 * Standard Webhooks say.
 *
 * Errors:  as in codec.h.
 * Threads: values; constant tables.
 */
#ifndef API_WEBHOOK_H
#define API_WEBHOOK_H

#include "api/errors.h"
#include "api/ids.h"
#include "engine/base/clock.h"
#include "engine/spec/fields.h"

#define ID_PREFIX_WEBHOOK "webhook_"
#define ID_PREFIX_EVENT "event_"
#define WEBHOOK_SECRET_PREFIX "whsec_"
#define WEBHOOK_TEST "webhook.test"

enum { WEBHOOK_URL_BYTES = 1001, WEBHOOK_SECRET_BYTES = 64, WEBHOOK_ERROR_BYTES = 200 };

/* What may be asked for; the store tells each when its row of job.h's table is carried out
 * (lua/prelude.lua). */
#define WEBHOOK_KIND_MAP(X)                                                                        \
    X("job.submitted", "it was created")                                                           \
    X("job.started", "a worker has taken it; once an attempt")                                     \
    X("job.interrupted", "its worker gave it back or died; it waits again")                        \
    X("job.paused", "it waits until it is resumed")                                                \
    X("job.resumed", "it was resumed")                                                             \
    X("job.retried", "it had failed and was queued again")                                         \
    X("job.succeeded", "its model is there")                                                       \
    X("job.failed", "it ended without; `error` says why")                                          \
    X("job.cancelled", "it ended because a user wanted it to")

/* A webhook, as GET /webhooks/{id} answers. */
struct webhook_card {
    char id[ID_BYTES];
    char url[WEBHOOK_URL_BYTES];
    struct text_list events;
    char tag[FIELD_TEXT_BYTES];
    char secret[WEBHOOK_SECRET_BYTES]; /* only where it is made, or "" */
    char created[CLOCK_TEXT_BYTES];    /* RFC 3339 */
    bool disabled;                     /* its receiver has said that it is gone */
    int64_t waiting, delivered, given_up, failures;
    char last_time[CLOCK_TEXT_BYTES]; /* RFC 3339, or "" before the first try */
    int64_t last_status;              /* 0: there was no answer */
    char last_error[WEBHOOK_ERROR_BYTES];
};
extern const struct field_table webhook_card_table;

void webhook_card_add_json(const struct webhook_card *card, struct str *out); /* An object. */

/* POST /webhooks. */
struct webhook_request {
    char url[WEBHOOK_URL_BYTES]; /* required; whether it may be used is the caller's to check */
    struct text_list events;
    char tag[FIELD_TEXT_BYTES];
};
extern const struct field_table webhook_request_table;

/* The body of POST /webhooks. */
MUST_CHECK enum status webhook_request_decode(struct webhook_request *request, const char *text,
                                              size_t len, struct field_errors *errors,
                                              struct error *err);

#endif
