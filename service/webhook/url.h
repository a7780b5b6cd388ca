/*
 * url.h - what may be the URL of a webhook.
 *
 * Threads: pure functions.
 */
#ifndef SERVICE_WEBHOOK_URL_H
#define SERVICE_WEBHOOK_URL_H

#include "engine/base/str.h"

#define URL_RANGE "an absolute URL, http or https, with a host and without a password"
#define URL_PRIVATE_RANGE URL_RANGE ", that is not an address of a private network"

/* INVALID with field "url" for anything else, and for a private address when those are not allowed.
 * What address a name has is seen when it is connected to (sender.h). */
MUST_CHECK enum status url_check(const char *url, bool allow_private, struct error *err);

#endif
