/*
 * throttle.h - holds callers to the rate of their key, or of their address where there are no keys.
 *
 * Threads: any.
 */
#ifndef SERVICE_HTTP_THROTTLE_H
#define SERVICE_HTTP_THROTTLE_H

#include "service/http/rate.h"
#include "service/http/router.h"

struct sockaddr;

/* The name by which callers from this address are counted: an IPv4 address, or the network of an
 * IPv6 one; all others share one. */
void throttle_name_address(const struct sockaddr *address, char name[RATE_NAME_BYTES]);

/* Counts a request that came over this socket; left is zeroed where nothing is limited. Fills the
 * reply with 429 when it is one too many. Routes that ask nobody for a key are not limited. */
void throttle_check(const struct request *request, const struct route *route, int socket,
                    struct rate_left *left, struct reply *reply);

/* Tells the caller what is left, in the headers of draft-ietf-httpapi-ratelimit-headers. */
void throttle_add_headers(const struct rate_left *left, struct reply *reply);

#endif
