/*
 * wire.h - writes an answer past libmicrohttpd, for those that end a connection.
 *
 * libmicrohttpd takes an answer only before or after a body. A refusal in the middle of one, or of
 * a request that must not be read on, is written here; the connection is closed after it.
 *
 * Threads: only whoever claimed the answer of the connection (watch.h) may write it; with TLS only
 *          the connection's own thread, because a session has no lock: see wire_interrupt.
 *          wire_interrupt, wire_has_input and wire_cut: any.
 */
#ifndef SERVICE_HTTP_WIRE_H
#define SERVICE_HTTP_WIRE_H

#include "service/http/reply.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Where the bytes of a connection go. */
struct wire {
    int socket;
    void *tls; /* the session of GnuTLS, through which all goes that is written; NULL: none */
    void (*on_interrupt)(struct wire *wire);
    atomic_bool interrupted;
};

/* A new connection, of a zeroed struct that stays where it is; its thread does not read yet. */
void wire_open(struct wire *wire, int socket, void *tls, void (*on_interrupt)(struct wire *wire));

/* Sends status line, headers with "Connection: close", and body; without waiting, so what does
 * not fit into the socket's buffer is lost. */
void wire_send(const struct wire *wire, const struct reply *reply);

/* Ends reading, and has on_interrupt called by a thread that may write: without TLS by this one, at
 * once; with TLS by the connection's own, which is woken to read and may call it again. */
void wire_interrupt(struct wire *wire);

/* Bytes have come that nobody has read; false once it was interrupted. */
bool wire_has_input(const struct wire *wire);

void wire_end(const struct wire *wire); /* Nothing more is written; what comes can be read. */
void wire_cut(const struct wire *wire); /* Ends both directions at once. */

#endif
