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

/* Finds the holder of the request's key, or makes one without a name where nobody is asked, and the
 * limits that hold. False, with 401 or 403 in the reply, when this request may not use the route.
 */
bool access_check(const struct request *request, const struct route *route,
                  struct key_holder *holder, struct reply *reply);

/* 401 for a key that is not known. */
void access_refuse(struct reply *reply);

#endif
