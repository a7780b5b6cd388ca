/*
 * sender.h - sends messages over HTTP, many at once, from one thread.
 *
 * A slow receiver costs the others nothing. There are no redirects, no proxies and no cookies;
 * certificates are verified; what is answered is thrown away. Whether an address may be connected
 * to is decided at the very moment when the socket is made, so that a name cannot mean another
 * address than the one that was looked at.
 *
 * Ownership: sender_create ... sender_free; what a post refers to stays the caller's, and is
 *            copied.
 * Errors:    a message that does not arrive is no error here but a result.
 * Threads:   one, but for sender_wake.
 */
#ifndef SERVICE_WEBHOOK_SENDER_H
#define SERVICE_WEBHOOK_SENDER_H

#include "api/limits.h"
#include "engine/base/str.h"

enum { SENT_ERROR_BYTES = 200 };

struct sender;

/* timeout_ms is what connecting, sending and the answer may take together. */
struct sender *sender_create(int64_t timeout_ms, bool allow_private);
void sender_free(struct sender *sender); /* What is on its way is broken off; NULL is allowed. */

/* A message to post as JSON. */
struct post {
    const char *url, *id, *signature;
    int64_t timestamp_s;
    const struct str *body;
};

/* Begins to send it; the number comes back with its result. Of at most LIMIT_MESSAGES_SENDING at
 * once. INVALID for a URL that url.h refuses. */
MUST_CHECK enum status sender_post(struct sender *sender, const struct post *post, int number,
                                   struct error *err);

/* Lets them go on for up to so long, or until something has happened. */
void sender_run(struct sender *sender, int timeout_ms);
void sender_wake(struct sender *sender); /* Ends sender_run early; any thread. */

/* What became of one. */
struct sent {
    int number;
    int http_status;              /* 0: there was no answer */
    char error[SENT_ERROR_BYTES]; /* why not, or "" */
};

/* The next one that is over; false when there is none. */
bool sender_next(struct sender *sender, struct sent *sent);

#endif
