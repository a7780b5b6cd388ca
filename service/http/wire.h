/*
 * wire.h - writes an answer to a socket past libmicrohttpd, for those that end a connection.
 *
 * libmicrohttpd takes an answer only before or after a body. A refusal in the middle of one, or of
 * a request that must not be read on, is written here; the connection is closed after it.
 *
 * Threads: only whoever claimed the answer of the connection (watch.h) may write it.
 */
#ifndef SERVICE_HTTP_WIRE_H
#define SERVICE_HTTP_WIRE_H

#include "service/http/reply.h"

/* Sends status line, headers with "Connection: close", and body; without waiting, so what does
 * not fit into the socket's buffer is lost. */
void wire_send(int socket, const struct reply *reply);

#endif
