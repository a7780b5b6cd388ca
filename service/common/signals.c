#include "service/common/signals.h"

#include "engine/base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_bool stop_requested, reload_requested, hangup_reloads;
static int wake_pipe[2] = {-1, -1}; /* written by handlers, drained by signals_wait */

static void wake(void) {
    int saved_errno = errno;
    ssize_t written = write(wake_pipe[1], "", 1); /* a full pipe wakes as well */
    (void)written;
    errno = saved_errno;
}

static void on_signal(int number) {
    if (number == SIGHUP && atomic_load(&hangup_reloads))
        atomic_store(&reload_requested, true);
    else if (number != SIGCHLD)
        atomic_store(&stop_requested, true);
    wake();
}

static void handle(int number) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(number, &action, NULL) == 0);
}

void signals_install(void) {
    CHECK(pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) == 0);
    const int handled[] = {SIGTERM, SIGINT, SIGCHLD, SIGHUP};
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++) {
        struct sigaction before;
        CHECK(sigaction(handled[i], NULL, &before) == 0);
        if (handled[i] != SIGHUP || before.sa_handler != SIG_IGN) /* nohup */
            handle(handled[i]);
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    CHECK(sigaction(SIGPIPE, &ignore, NULL) == 0);
}

void signals_reload_on_hangup(void) {
    atomic_store(&hangup_reloads, true);
    handle(SIGHUP);
}

bool signals_take_reload(void) {
    return atomic_exchange(&reload_requested, false);
}

bool signals_stop(void) {
    return atomic_load(&stop_requested);
}

void signals_request_stop(void) {
    atomic_store(&stop_requested, true);
    wake();
}

bool signals_wait(int duration_ms) {
    struct pollfd waiting = {.fd = wake_pipe[0], .events = POLLIN};
    if (!signals_stop() && poll(&waiting, 1, duration_ms) > 0) {
        char drained[64];
        while (read(wake_pipe[0], drained, sizeof drained) > 0)
            continue;
    }
    return signals_stop();
}
