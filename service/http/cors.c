#include "service/http/cors.h"

#include "engine/base/str.h"
#include "service/common/origins.h"

enum { MAX_AGE_S = 600 };

/* Beside those that every page may read. */
#define EXPOSED                                                                                    \
    "Accept-Ranges, Allow, Content-Disposition, Content-Length, Content-Range, ETag, "             \
    "Inference-Header-Content-Length, Location, RateLimit, RateLimit-Policy, Retry-After, "        \
    "WWW-Authenticate"

/* All that the routes look at and a page may set. */
#define TAKEN                                                                                      \
    "Accept, Authorization, Content-Range, Content-Type, Idempotency-Key, If-None-Match, "         \
    "If-Range, Inference-Header-Content-Length, Last-Event-ID, Range, X-API-Key"

void cors_add(const char *origins, const char *origin, struct reply *reply) {
    bool all = str_equal(origins, "*");
    if (!origins[0])
        return;
    if (!all)
        reply_header(reply, "Vary", "Origin");
    if (!origin || !origins_have(origins, origin))
        return;
    reply_header(reply, "Access-Control-Allow-Origin", "%s", all ? "*" : origin);
    reply_header(reply, "Access-Control-Expose-Headers", EXPOSED);
}

void cors_answer_preflight(const char *allow, struct reply *reply) {
    reply_release(reply);
    reply->code = HTTP_NO_CONTENT;
    reply_header(reply, "Access-Control-Allow-Methods", "%s", allow);
    reply_header(reply, "Access-Control-Allow-Headers", TAKEN);
    reply_header(reply, "Access-Control-Max-Age", "%d", MAX_AGE_S);
}
