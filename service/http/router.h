/*
 * router.h - which handler answers a request: the table made from api/routes.def.
 *
 * Threads: a constant table, pure functions.
 */
#ifndef SERVICE_HTTP_ROUTER_H
#define SERVICE_HTTP_ROUTER_H

#include "api/key.h"
#include "service/http/request.h"

/* What a route does with a request's body. */
enum body_kind {
    BODY_UNUSED,   /* read and dropped */
    BODY_JSON,     /* application/json, at most LIMIT_JSON_BYTES */
    BODY_PICTURES, /* image/..., a form or JSON, as large as the configuration allows */
    BODY_TENSORS,  /* JSON, perhaps with bytes behind it; the type may be left out; as large */
    BODY_FILE,     /* application/octet-stream, to a temporary file, at most LIMIT_WEIGHTS_BYTES */
    BODY_STREAM,   /* of any type, to a sink, as large as an upload may be */
    BODY_ARCHIVE,  /* application/x-tar or gzip, likewise */
};

struct route {
    const char *method, *path; /* "/jobs/{id}" */
    const char *name;          /* of the handler, for logs and metrics */
    enum key_role role;        /* that a key must have */
    handler_fn handler;
};

extern const struct route routes[];
extern const int route_count;

enum { ROUTE_ALLOW_BYTES = 64 };

struct route_match {
    const struct route *route; /* NULL: no such path, or not with this method */
    const char *arg[2];        /* what stands for the parts in braces, or NULL; the target's */
    char
        allow[ROUTE_ALLOW_BYTES]; /* methods that this path knows, ", " between; "": no such path */
};

/* Finds the route of a method ("HEAD" is answered like "GET") and path. */
void router_match(const char *method, const struct target *target, struct route_match *match);

/* What this route does with a body of this media type (lower case, no parameters). */
enum body_kind route_body(const struct route *route, const char *content_type);

/* What fills in request->sink before such a body is read, or answers; NULL where there is none. */
handler_fn route_begin(const struct route *route, const char *content_type);

/* What a route takes, in words: "application/json and image/...". */
const char *route_media(const struct route *route);

/* The media type may be sent to such a route. */
bool route_takes(const struct route *route, const char *content_type);

#endif
