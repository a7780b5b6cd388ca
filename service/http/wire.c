#include "service/http/wire.h"

#include <gnutls/gnutls.h>
#include <limits.h>
#include <microhttpd.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

enum { DATE_BYTES = 64 };

/* A record at a time. What is left over when the socket is full is lost. */
static void send_bytes(const struct wire *wire, const char *bytes, size_t len) {
    if (!wire->tls) {
        (void)!send(wire->socket, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        return;
    }
    ssize_t sent;
    for (; len && (sent = gnutls_record_send(wire->tls, bytes, len)) > 0; len -= (size_t)sent)
        bytes += sent;
}

/* What GnuTLS reads with, in the connection's own thread. */
static ssize_t pull(void *ctx, void *out, size_t max) {
    struct wire *wire = ctx;
    if (!atomic_load(&wire->interrupted))
        return recv(wire->socket, out, max, 0);
    wire->on_interrupt(wire);
    return 0;
}

static int pull_timeout(void *ctx, unsigned duration_ms) {
    struct pollfd waiting = {.fd = ((struct wire *)ctx)->socket, .events = POLLIN};
    return poll(&waiting, 1, duration_ms > INT_MAX ? -1 : (int)duration_ms);
}

void wire_open(struct wire *wire, int socket, void *tls, void (*on_interrupt)(struct wire *wire)) {
    wire->socket = socket;
    wire->tls = tls;
    wire->on_interrupt = on_interrupt;
    if (!tls)
        return;
    gnutls_transport_set_ptr2(tls, wire, (void *)(intptr_t)socket);
    gnutls_transport_set_pull_function(tls, pull);
    gnutls_transport_set_pull_timeout_function(tls, pull_timeout);
}

void wire_interrupt(struct wire *wire) {
    atomic_store(&wire->interrupted, true);
    if (!wire->tls)
        wire->on_interrupt(wire);
    shutdown(wire->socket, SHUT_RD);
}

bool wire_has_input(const struct wire *wire) {
    char byte;
    return !atomic_load(&wire->interrupted) &&
           recv(wire->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void wire_end(const struct wire *wire) {
    if (wire->tls)
        gnutls_bye(wire->tls, GNUTLS_SHUT_WR);
    shutdown(wire->socket, SHUT_WR);
}

void wire_cut(const struct wire *wire) {
    shutdown(wire->socket, SHUT_RDWR);
}

void wire_send(const struct wire *wire, const struct reply *reply) {
    struct str text = STR_INIT;
    char date[DATE_BYTES];
    struct tm utc;
    time_t now = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
    str_addf(&text, "HTTP/1.1 %d %s\r\n", reply->code,
             MHD_get_reason_phrase_for((unsigned)reply->code));
    str_addf(&text, "Date: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", date,
             reply->content_type, reply->body.len);
    str_add(&text, "X-Content-Type-Options: nosniff\r\nConnection: close\r\n");
    for (int i = 0; i < reply->header_count; i++)
        str_addf(&text, "%s: %s\r\n", reply->header[i].name, reply->header[i].value);
    str_add(&text, "\r\n");
    str_add_bytes(&text, reply->body.data, reply->body.len);
    send_bytes(wire, text.data, text.len);
    str_release(&text);
}
