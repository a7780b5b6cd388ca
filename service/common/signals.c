#include "service/common/signals.h"

#include "engine/base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_bool stop_requested;
static int wake_pipe[2] = {-1, -1}; /* written by handlers, drained by signals_wait */

static void wake(void) {
    int saved_errno = errno;
    ssize_t written = write(wake_pipe[1], "", 1); /* a full pipe wakes as well */
    (void)written;
    errno = saved_errno;
}

static void on_signal(int number) {
    if (number != SIGCHLD)
        atomic_store(&stop_requested, true);
    wake();
}

void signals_install(void) {
    CHECK(pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) == 0);
    const int handled[] = {SIGTERM, SIGINT, SIGCHLD, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++) {
        CHECK(sigaction(handled[i], NULL, &before) == 0);
        if (handled[i] != SIGHUP || before.sa_handler != SIG_IGN) /* nohup */
            CHECK(sigaction(handled[i], &action, NULL) == 0);
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    CHECK(sigaction(SIGPIPE, &ignore, NULL) == 0);
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
