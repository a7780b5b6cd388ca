#include "service/http/acceptor.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "service/common/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAUSE_MS = 10 }; /* until there may be room again, or files */

static bool has_room(struct acceptor *acceptor) {
    return atomic_load(&acceptor->connections) < acceptor->connections_max;
}

/* Waits until there may be a connection to take. False at the end. */
static bool wait_for_some(struct acceptor *acceptor) {
    bool room = has_room(acceptor);
    struct pollfd waiting[] = {{.fd = acceptor->wake, .events = POLLIN},
                               {.fd = room ? acceptor->listener : -1, .events = POLLIN}};
    poll(waiting, 2, room ? -1 : PAUSE_MS);
    return waiting[0].revents == 0;
}

/* Takes one connection; false when there is none to take. */
static bool take(struct acceptor *acceptor) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int fd = accept4(acceptor->listener, (struct sockaddr *)&address, &len,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        log_warn("cannot_accept", log_text("reason", strerror(errno)));
        clock_sleep_ms(PAUSE_MS);
    }
    if (fd < 0)
        return false;
    atomic_fetch_add(&acceptor->connections, 1);
    if (MHD_add_connection(acceptor->daemon, fd, (struct sockaddr *)&address, len) != MHD_YES)
        acceptor_forget(acceptor); /* libmicrohttpd has closed it */
    return true;
}

static void *run(void *ctx) {
    struct acceptor *acceptor = ctx;
    while (wait_for_some(acceptor))
        while (has_room(acceptor) && take(acceptor))
            continue;
    return NULL;
}

void acceptor_start(struct acceptor *acceptor, struct MHD_Daemon *daemon, int listener,
                    int64_t connections_max) {
    acceptor->daemon = daemon;
    acceptor->listener = listener;
    acceptor->connections_max = connections_max;
    acceptor->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(acceptor->wake >= 0);
    CHECK(pthread_create(&acceptor->thread, NULL, run, acceptor) == 0);
}

void acceptor_forget(struct acceptor *acceptor) {
    atomic_fetch_sub(&acceptor->connections, 1);
}

void acceptor_stop(struct acceptor *acceptor) {
    const uint64_t one = 1;
    CHECK(write(acceptor->wake, &one, sizeof one) == sizeof one);
    pthread_join(acceptor->thread, NULL);
    close(acceptor->listener);
    close(acceptor->wake);
}
