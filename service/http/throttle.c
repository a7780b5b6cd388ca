#include "service/http/throttle.h"

#include "engine/base/clock.h"
#include "service/http/app.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const double LONGEST_S = 1e9;

enum { NETWORK_BYTES = 8 }; /* of an IPv6 address: whoever has one has 2^64 */

/* As headers have it. */
static double whole_seconds(double seconds) {
    return fmin(ceil(seconds), LONGEST_S);
}

void throttle_name_address(const struct sockaddr *address, char name[RATE_NAME_BYTES]) {
    str_copy(name, RATE_NAME_BYTES, "unknown");
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &v4->sin_addr, name, RATE_NAME_BYTES);
    } else if (address->sa_family == AF_INET6) {
        struct in6_addr network = ((const struct sockaddr_in6 *)address)->sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(&network))
            memset(&network.s6_addr[NETWORK_BYTES], 0, sizeof network - NETWORK_BYTES);
        inet_ntop(AF_INET6, &network, name, RATE_NAME_BYTES);
    }
}

/* Who sends over this socket. */
static void name_peer(int socket, char name[RATE_NAME_BYTES]) {
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof peer;
    if (getpeername(socket, (struct sockaddr *)&peer, &len) != 0)
        peer.ss_family = AF_UNSPEC;
    throttle_name_address((const struct sockaddr *)&peer, name);
}

void throttle_check(const struct request *request, const struct route *route, int socket,
                    struct rate_left *left, struct reply *reply) {
    const struct key_limits *limits = &request->holder->limits;
    const struct rate rate = {limits->requests_per_s, limits->requests_burst > 0
                                                          ? (double)limits->requests_burst
                                                          : fmax(1, ceil(limits->requests_per_s))};
    char name[RATE_NAME_BYTES];
    if (route->role == KEY_ROLE_NONE || rate.per_s <= 0)
        return;
    if (request->holder->name[0])
        str_copy(name, sizeof name, request->holder->name);
    else
        name_peer(socket, name);
    *left = rate_take(request->app->rates, name, &rate, clock_mono_ns());
    if (left->allowed)
        return;
    reply_problem(reply, PROBLEM_RATE_LIMITED, "%s may send %g requests in a second", name,
                  rate.per_s);
    reply_header(reply, "Retry-After", "%.0f", whole_seconds(left->wait_s));
}

void throttle_add_headers(const struct rate_left *left, struct reply *reply) {
    if (left->rate.per_s <= 0)
        return;
    reply_header(reply, "RateLimit-Policy", "\"requests\";q=%.0f;w=%.0f", left->rate.burst,
                 whole_seconds(left->rate.burst / left->rate.per_s));
    reply_header(reply, "RateLimit", "\"requests\";r=%.0f;t=%.0f", floor(left->tokens),
                 whole_seconds(left->refill_s));
}
