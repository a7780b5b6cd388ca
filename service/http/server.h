/*
 * server.h - listens, reads requests, lets handlers answer them, and ends in an orderly way.
 *
 * Only server.c, exchange.c, send.c and wire.c know libmicrohttpd. It polls with epoll in a few
 * threads; nothing may block one of them for long: see request_suspend.
 *
 * Ownership: server_create ... server_stop. The app and the configuration must live as long.
 * Errors:    INVALID (address), IO (port taken), INTERNAL (libmicrohttpd does not start).
 * Threads:   one thread creates, reloads, sweeps, drains and stops.
 */
#ifndef SERVICE_HTTP_SERVER_H
#define SERVICE_HTTP_SERVER_H

#include "service/common/config.h"

struct app;
struct server;

/* Binds and starts to answer. */
MUST_CHECK enum status server_create(struct server **out, const struct config *config,
                                     struct app *app, struct error *err);

/* "http://HOST:PORT" as it was bound, or https. */
const char *server_url(const struct server *server);

/* Reads the files of HTTPS again. Connections that begin from then on use them; when something is
 * wrong with them all goes on as before, with one line in the log. Nothing happens without TLS. */
void server_reload(struct server *server);

/* Ends what is late; to be called every LIMIT_SWEEP_MS. */
void server_sweep(struct server *server);

/* Accepts nothing new and waits, at most so long, until all requests under way are answered.
 * Streams must have been ended before. */
void server_drain(struct server *server, int64_t max_ms);

/* Closes all connections and frees the server. TIMEOUT, with nothing freed, when handlers are
 * still at work: the process can then only exit. */
MUST_CHECK enum status server_stop(struct server *server, struct error *err);

#endif
