/*
 * server_internal.h - what server.c, exchange.c and send.c share. Nobody else includes it.
 *
 * An exchange is one request with its reply. It begins with the request line and ends when
 * libmicrohttpd has sent the reply or given up; it belongs to its connection's link.
 */
#ifndef SERVICE_HTTP_SERVER_INTERNAL_H
#define SERVICE_HTTP_SERVER_INTERNAL_H

#include "service/common/config.h"
#include "service/http/acceptor.h"
#include "service/http/access.h"
#include "service/http/body.h"
#include "service/http/framing.h"
#include "service/http/router.h"
#include "service/http/throttle.h"
#include "service/http/watch.h"

#include <microhttpd.h>

struct server {
    const struct config *config;
    struct app *app;
    struct MHD_Daemon *daemon;
    pthread_mutex_t identity_lock;
    struct tls_identity *identity; /* that new connections show; NULL: no TLS */
    struct acceptor acceptor;
    struct watch watch;
    struct body_budget budget;
    atomic_bool draining;
    atomic_int exchanges; /* requests under way */
    atomic_int suspended; /* of them, those whose handler waits for something */
    char url[CONFIG_TEXT_BYTES + 32];
};

enum exchange_state {
    EXCHANGE_HEAD,    /* libmicrohttpd has not shown the headers yet */
    EXCHANGE_BODY,    /* reading */
    EXCHANGE_REFUSED, /* answered past libmicrohttpd; what still comes is dropped */
    EXCHANGE_WAITING, /* suspended by the handler */
    EXCHANGE_DONE     /* the reply is libmicrohttpd's */
};

enum { CONTENT_TYPE_BYTES = 64 };

struct exchange {
    struct request request; /* first: a request is cast to its exchange */
    struct reply reply;
    struct server *server;
    struct link *link;
    struct MHD_Connection *connection;
    enum exchange_state state;
    const struct route *route; /* NULL: none */
    struct key_holder holder;  /* of the key; nameless when nobody is asked for one */
    struct rate_left left;     /* of what this caller may send */
    bool is_head;              /* the answer is sent without its body */
    char *raw;                 /* request target as it came */
    struct target target;
    struct body body;
    char content_type[CONTENT_TYPE_BYTES];
    handler_fn then; /* after request_resume */
    int64_t begun_ns;
    int code; /* that was answered, for the log */
};

/* An exchange that begins with this request target. */
struct exchange *exchange_create(struct server *server, struct link *link,
                                 struct MHD_Connection *connection, const char *raw);
void exchange_free(struct exchange *exchange); /* Records it; NULL is allowed. */

/* libmicrohttpd's access handler for an exchange: see MHD_AccessHandlerCallback. */
enum MHD_Result exchange_run(struct exchange *exchange, const char *method, const char *version,
                             const char *data, size_t *data_bytes);

/* The headers as they came, with what only their place in memory tells. */
void exchange_headers(struct exchange *exchange, struct http_headers *headers);

/* What all replies tell beside their own headers; once, when it is complete. */
void exchange_add_headers(struct exchange *exchange);

/* Hands the reply to libmicrohttpd. */
enum MHD_Result exchange_send(struct exchange *exchange);

#endif
