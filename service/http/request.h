/*
 * request.h - what a handler is given: a request that has arrived in full.
 *
 *     static enum status show(struct request *request, struct reply *reply, struct error *err) {
 *         reply_json(...);
 *         return STATUS_OK;
 *     }
 *
 * A handler fills the reply, or returns an error, which the server answers with, and with what is
 * in request->wrong then. One that has to wait for something else calls request_suspend, starts
 * that, and returns OK; whoever finishes it calls request_resume, and the continuation, which is
 * another handler, goes on with the reply on the connection's own thread. The request and its reply
 * stay valid in between, also when the client has gone.
 *
 * Ownership: everything belongs to the server and lives until the reply has been sent.
 * Threads:   a request belongs to one thread of the server; request_resume may be called by any.
 */
#ifndef SERVICE_HTTP_REQUEST_H
#define SERVICE_HTTP_REQUEST_H

#include "service/common/log.h"
#include "service/http/body.h"
#include "service/http/reply.h"
#include "service/http/target.h"
#include "service/store/key_ring.h"

struct app;
struct request;
struct request_ops;

/* err is zeroed; what was filled of the reply is dropped with an error. */
typedef enum status (*handler_fn)(struct request *request, struct reply *reply, struct error *err);

struct request {
    struct app *app;
    const struct request_ops *ops; /* private to the server */
    const char *route;             /* its name in api/routes.def */
    const struct target *target;
    const struct key_holder *holder; /* of the key it came with, "" when nobody is asked for one */
    const char *arg;                 /* the path's part in braces, or NULL */
    const char *second_arg;          /* the second such part, or NULL */
    const char *content_type;        /* media type in lower case without parameters, or "" */
    const char *body;                /* NUL-terminated */
    size_t body_len;
    const char *body_path;      /* a file with the body, which is "", or NULL; it ends with this */
    struct body_sink sink;      /* took the body as it came, if it has a function; it is "" then */
    struct field_errors *wrong; /* what of its fields is; only while a handler runs */
    void *state;                /* the handler's own, between suspend and continuation */
    void (*release)(void *state); /* called with state at the end; may be NULL */
};

/* The value of a header, or NULL; names are compared without case. */
const char *request_header(const struct request *request, const char *name);

/* Who sent it, for the log of what was changed: null when nobody is asked for a key. */
struct log_field request_by(const struct request *request);

/* The value of a query parameter, or NULL. */
const char *request_query(const struct request *request, const char *name);

/* The value of a parameter of the route (api/params.h) that is no text, or what is usual. */
int64_t request_query_value(const struct request *request, const char *name);

/* Refuses parameters that the route does not know, and values that they may not have: the server
 * does before it calls a handler. */
MUST_CHECK enum status request_check_query(struct request *request, struct error *err);

/* Fills an object from the query by its table; rows with any of the refused flags are unknown.
 * INVALID with all that is wrong in request->wrong. */
MUST_CHECK enum status request_query_fields(struct request *request,
                                            const struct field_table *table, unsigned refused,
                                            void *object, struct error *err);

/* Notes in request->wrong that a parameter or header has a wrong value, of which range says what is
 * allowed (NULL when it is not a matter of range). INVALID with the field and the detail. */
enum status request_refuse(struct request *request, const char *name, const char *value,
                           const char *range, struct error *err);

/* Notes the value of the field that an error names, if it is one of an object with this table, and
 * range (which may be NULL) as what is allowed. */
void request_blame(struct request *request, const struct field_table *table, const void *object,
                   const char *range, const struct error *err);

/* The reply comes later: then() will be called with it after request_resume. */
void request_suspend(struct request *request, handler_fn then);

/* Lets the continuation run; exactly once for each suspend. The caller must not touch the request
 * afterwards. */
void request_resume(struct request *request);

/* How the server carries these out. */
struct request_ops {
    const char *(*header)(const struct request *request, const char *name);
    void (*suspend)(struct request *request, handler_fn then);
    void (*resume)(struct request *request);
};

#endif
