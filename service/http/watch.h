/*
 * watch.h - deadlines of connections: each must bring its request, or take its answer, in time.
 *
 * libmicrohttpd only ends connections on which nothing happens at all; a byte a second keeps one
 * open for ever. Here each connection has one deadline, which its phase sets: head and body as a
 * whole and at a minimum rate, then the answer at that rate. A sweep shuts down the sockets that
 * are late; libmicrohttpd then closes them.
 *
 * Ownership: a link belongs to its connection, between watch_add and watch_remove.
 * Threads:   any. Whoever claims a link's answer is the only one to write it.
 */
#ifndef SERVICE_HTTP_WATCH_H
#define SERVICE_HTTP_WATCH_H

#include "service/http/wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct exchange;
struct tls_identity;

/* One connection. */
struct link {
    struct wire wire; /* first: a wire is cast to its link */
    struct link *previous, *next;
    _Atomic int64_t deadline_ns; /* of the monotonic clock; 0: none */
    _Atomic int64_t excused_ms;  /* by which the request's deadlines were put off */
    atomic_bool answer_due;      /* a request has begun and nobody claimed its answer yet */
    atomic_bool busy;            /* between the request line and the end of the answer */
    /* The server's; used by the connection's thread only. */
    struct exchange *exchange;
    struct tls_identity *identity;
};

struct watch {
    pthread_mutex_t lock;
    struct link *links;
};

void watch_init(struct watch *watch);    /* Empty. */
void watch_release(struct watch *watch); /* No links may be left. */

/* A new connection, whose thread does not read yet; tls as in wire.h. */
struct link *watch_add(struct watch *watch, int socket, void *tls);
void watch_remove(struct watch *watch, struct link *link); /* Frees it; the socket is open yet. */

/* Sets the deadline to so many milliseconds from now. */
void link_set_deadline(struct link *link, int64_t duration_ms);
void link_clear_deadline(struct link *link); /* The server's own time does not count. */

/* True for the first who wants to write the answer of the request that is under way. */
bool link_claim_answer(struct link *link);

/* Ends the connections that are late, with 408 where a request was under way. One of which bytes
 * have come that its thread has not read yet is not late: the thread is, and it gets some grace. */
void watch_sweep(struct watch *watch);

/* Ends the connections that have no request under way. */
void watch_close_idle(struct watch *watch);

#endif
