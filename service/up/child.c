#include "service/up/child.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "service/common/log.h"
#include "service/common/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    STEADY_MS = 10000, /* who has lived so long begins with a short back-off again */
    POLL_MS = 20,
    EXIT_NOT_FOUND = 127
};

void child_init(struct child *child, const char *name, bool announces) {
    *child = (struct child){.name = name,
                            .keep_fd = -1,
                            .ready_fd = -1,
                            .announces = announces,
                            .backoff_ms = BACKOFF_FIRST_MS};
}

void child_release(struct child *child) {
    CHECK(child->pid == 0);
    for (int i = 0; i < child->argc; i++)
        free(child->argv[i]);
    if (child->ready_fd >= 0)
        close(child->ready_fd);
    if (child->keep_fd >= 0)
        close(child->keep_fd);
}

void child_add_arg(struct child *child, const char *text) {
    CHECK(child->argc < CHILD_ARGS_MAX - 2); /* ready_fd=N and NULL come behind */
    child->argv[child->argc++] = xstrdup(text);
}

static void keep_open(int fd) {
    if (fd >= 0)
        fcntl(fd, F_SETFD, 0);
}

/* In the new process: only what is safe between fork and exec. */
static _Noreturn void become(const struct child *child, pid_t parent, int ready_fd,
                             char *const *argv) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILURE); /* the parent died before the line above */
    setpgid(0, 0);           /* Ctrl-C goes to the parent, which ends its children in order */
    keep_open(child->keep_fd);
    keep_open(ready_fd);
    execvp(argv[0], argv);
    _exit(EXIT_NOT_FOUND);
}

enum status child_start(struct child *child, struct error *err) {
    int ready[2] = {-1, -1};
    char text[32];
    char *argv[CHILD_ARGS_MAX] = {NULL};
    memcpy(argv, child->argv, sizeof argv);
    if (child->announces && pipe2(ready, O_CLOEXEC) != 0)
        return error_set_errno(err, errno, "starting %s", child->name);
    snprintf(text, sizeof text, "ready_fd=%d", ready[1]);
    if (child->announces)
        argv[child->argc] = text;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(child, parent, ready[1], argv);
    if (ready[1] >= 0)
        close(ready[1]);
    if (pid < 0) {
        if (ready[0] >= 0)
            close(ready[0]);
        return error_set_errno(err, errno, "starting %s", child->name);
    }
    child->pid = pid;
    child->ready_fd = ready[0];
    child->line[0] = '\0';
    child->started_ns = clock_mono_ns();
    if (ready[0] >= 0)
        fcntl(ready[0], F_SETFL, O_NONBLOCK);
    log_info("child_started", log_text("child", child->name), log_int("child_pid", pid));
    return STATUS_OK;
}

const char *child_refusal(const struct child *child) {
    bool refuses = child->ready_fd < 0 && str_has_prefix(child->line, READY_REFUSAL);
    return refuses ? child->line + strlen(READY_REFUSAL) : NULL;
}

bool child_is_ready(struct child *child) {
    if (child->ready_fd < 0)
        return child->line[0] != '\0' && !child_refusal(child);
    size_t len = strlen(child->line);
    ssize_t got = read(child->ready_fd, child->line + len, sizeof child->line - 1 - len);
    if (got > 0)
        child->line[len + (size_t)got] = '\0';
    char *end = strchr(child->line, '\n');
    if (!end)
        return false;
    *end = '\0';
    close(child->ready_fd);
    child->ready_fd = -1;
    if (child_refusal(child))
        return false;
    child->early_deaths = 0;
    return true;
}

/* Who has lived for a while is not one that cannot start. */
static void plan_restart(struct child *child, bool failed_early) {
    int64_t now_ns = clock_mono_ns();
    bool steady = now_ns - child->started_ns > (int64_t)STEADY_MS * NS_PER_MS;
    child->early_deaths = steady ? 0 : child->early_deaths + failed_early;
    if (steady)
        child->backoff_ms = BACKOFF_FIRST_MS;
    child->restart_ns = now_ns + child->backoff_ms * NS_PER_MS;
    child->backoff_ms *= 2;
    if (child->backoff_ms > BACKOFF_MAX_MS)
        child->backoff_ms = BACKOFF_MAX_MS;
}

bool child_has_ended(struct child *child) {
    int how;
    if (child->pid == 0 || waitpid(child->pid, &how, WNOHANG) != child->pid)
        return false;
    LOG_AT(child->asked ? LOG_INFO : LOG_WARN, "child_ended", log_text("child", child->name),
           log_int("child_pid", child->pid),
           log_int(WIFSIGNALED(how) ? "signal" : "exit_status",
                   WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how)));
    child->pid = 0;
    plan_restart(child, !WIFSIGNALED(how) && !child_is_ready(child));
    if (child->ready_fd >= 0)
        close(child->ready_fd);
    child->ready_fd = -1;
    return true;
}

bool child_is_due(const struct child *child) {
    return child->pid == 0 && clock_mono_ns() >= child->restart_ns;
}

void child_hang_up(const struct child *child) {
    if (child->pid > 0)
        kill(child->pid, SIGHUP);
}

void child_ask_to_end(struct child *child) {
    child->asked = true;
    if (child->pid > 0)
        kill(child->pid, SIGTERM);
}

void child_await_end(struct child *child, int64_t deadline_ns) {
    bool killed = false;
    while (child->pid > 0 && !child_has_ended(child)) {
        if (!killed && clock_mono_ns() > deadline_ns) {
            log_warn("child_killed", log_text("child", child->name));
            kill(child->pid, SIGKILL);
            killed = true;
        }
        clock_sleep_ms(POLL_MS);
    }
}
