#include "service/http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 1024, PORT_TEXT_BYTES = 16 };

static enum status bind_address(int *out, const struct addrinfo *address, struct error *err) {
    int on = 1;
    int listener = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0)
        return error_set_errno(err, errno, "cannot make a socket");
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(listener, address->ai_addr, address->ai_addrlen) == 0 &&
        listen(listener, LISTEN_BACKLOG) == 0) {
        *out = listener;
        return STATUS_OK;
    }
    int reason = errno;
    close(listener);
    if (reason == EADDRINUSE)
        return error_set_field(err, STATUS_CONFLICT, "port", "the address is in use");
    enum status status = error_set_errno(err, reason, "cannot listen");
    if (err) /* no address of this machine, or one for root alone */
        str_copy(err->field, sizeof err->field, reason == EACCES ? "port" : "host");
    return status;
}

/* "http://127.0.0.1:8080", "https://[::1]:8080". */
static enum status format_url(int listener, const char *scheme, char *url, size_t url_bytes,
                              struct error *err) {
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    char host[NI_MAXHOST], port[PORT_TEXT_BYTES];
    if (getsockname(listener, (struct sockaddr *)&bound, &len) != 0 ||
        getnameinfo((struct sockaddr *)&bound, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return error_set(err, STATUS_IO, "cannot tell the address that was bound");
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(url, url_bytes, "%s://%s%s%s:%s", scheme, is_v6 ? "[" : "", host, is_v6 ? "]" : "",
             port);
    return STATUS_OK;
}

enum status listen_open(int *out, const struct config *config, char *url, size_t url_bytes,
                        struct error *err) {
    char service[PORT_TEXT_BYTES];
    const char *host = config->host;
    snprintf(service, sizeof service, "%d", (int)config->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *address;
    int failure = getaddrinfo(host, service, &hints, &address);
    if (failure)
        return error_set_field(err, STATUS_INVALID, "host", "\"%s\": %s", host,
                               gai_strerror(failure));
    int listener = -1;
    enum status status = bind_address(&listener, address, err);
    freeaddrinfo(address);
    if (!status)
        status = format_url(listener, config->tls_cert[0] ? "https" : "http", url, url_bytes, err);
    if (status) {
        error_wrap(err, status, "%s port %s", host, service);
        if (listener >= 0)
            close(listener);
        return status;
    }
    *out = listener;
    return STATUS_OK;
}
