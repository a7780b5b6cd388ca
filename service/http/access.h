/*
 * access.h - who may use a route: the key that a request came with, and the role that it needs.
 *
 * Threads: any.
 */
#ifndef SERVICE_HTTP_ACCESS_H
#define SERVICE_HTTP_ACCESS_H

#include "service/http/router.h"
#include "service/store/key_ring.h"

/* The secret in a request's headers: `Authorization: Bearer SECRET`, or else `X-API-Key: SECRET`;
 * NULL when there is none. Either may be NULL. */
const char *access_secret(const char *authorization, const char *api_key);

/* Finds the holder of the request's key, or leaves it zeroed where nobody is asked for one. Fills
 * the reply with 401 or 403 when this request may not use the route. */
void access_check(const struct request *request, const struct route *route,
                  struct key_holder *holder, struct reply *reply);

#endif
