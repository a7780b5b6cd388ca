/*
 * acceptor.h - the thread that takes connections from the listening socket and hands them to
 * libmicrohttpd.
 *
 * libmicrohttpd can do that itself, but to end it there is only MHD_quiesce_daemon, which races
 * with libmicrohttpd's own threads when these use epoll, and then aborts the process.
 *
 * Connections above the limit wait in the socket's backlog.
 *
 * Ownership: the caller's storage; acceptor_start takes the listener, acceptor_stop closes it.
 * Threads:   acceptor_forget from any; the others from one.
 */
#ifndef SERVICE_HTTP_ACCEPTOR_H
#define SERVICE_HTTP_ACCEPTOR_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct acceptor {
    struct MHD_Daemon *daemon;
    int listener, wake; /* wake: readable once the thread must end */
    int64_t connections_max;
    atomic_int_fast64_t connections; /* open now */
    pthread_t thread;
};

/* Starts the thread; of a zeroed struct. */
void acceptor_start(struct acceptor *acceptor, struct MHD_Daemon *daemon, int listener,
                    int64_t connections_max);

void acceptor_forget(struct acceptor *acceptor); /* A connection that was taken is closed. */

/* From here on connections are refused. */
void acceptor_stop(struct acceptor *acceptor);

#endif
