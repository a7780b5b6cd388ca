#include "engine/data/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Signals go back to their defaults: a program that ignores SIGPIPE must not pass that on. */
static void default_signals(posix_spawnattr_t *attributes) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_init(attributes);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

/* Starts the program with both outputs on the writing end of the pipe. */
static int spawn(const char *const *argv, int output, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    default_signals(&attributes);
    int failure =
        posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

/* Reads until the child has closed its outputs; what does not fit is dropped. */
static void collect(int input, child_tick_fn *tick, void *ctx, char output[CHILD_OUTPUT_BYTES]) {
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0 || (got < 0 && errno == EINTR)) {
        struct pollfd wait = {.fd = input, .events = POLLIN};
        char piece[512];
        int ready = poll(&wait, 1, CHILD_TICK_MS);
        if (ready <= 0) {
            if (tick)
                tick(ctx);
            continue;
        }
        got = read(input, piece, sizeof piece);
        for (ssize_t i = 0; i < got && len < CHILD_OUTPUT_BYTES - 1; i++)
            output[len++] = piece[i];
    }
    while (len > 0 && strchr(" \r\n", output[len - 1]))
        len--;
    output[len] = '\0';
}

static int wait_for(pid_t pid) {
    int state;
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
        continue;
    return WIFSIGNALED(state) ? 128 + WTERMSIG(state) : WEXITSTATUS(state);
}

enum status child_run(const char *const *argv, child_tick_fn *tick, void *ctx,
                      struct child_result *result, struct error *err) {
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set_errno(err, errno, "cannot run %s", argv[0]);
    int failure = spawn(argv, ends[1], &pid);
    close(ends[1]);
    if (failure) {
        close(ends[0]);
        return failure == ENOENT
                   ? error_set(err, STATUS_UNSUPPORTED, "the program %s is not installed", argv[0])
                   : error_set_errno(err, failure, "cannot run %s", argv[0]);
    }
    collect(ends[0], tick, ctx, result->output);
    close(ends[0]);
    result->exit_code = wait_for(pid);
    return STATUS_OK;
}
