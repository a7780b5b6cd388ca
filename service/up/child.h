/*
 * child.h - a process that is started, watched, restarted with back-off, and ended.
 *
 * The child dies with its parent (SIGTERM). It may say that it is ready with one line on a pipe.
 *
 * Ownership: init ... release; the storage is the caller's. argv is borrowed.
 * Errors:    IO when a process cannot be made.
 * Threads:   main only.
 */
#ifndef SERVICE_UP_CHILD_H
#define SERVICE_UP_CHILD_H

#include "engine/base/str.h"

#include <sys/types.h>

enum { CHILD_LINE_BYTES = 512, CHILD_ARGS_MAX = 64 };

struct child {
    const char *name; /* for the log */
    char *argv[CHILD_ARGS_MAX];
    int argc;
    int keep_fd;                 /* a descriptor that the child inherits, or -1 */
    pid_t pid;                   /* 0: not running */
    int ready_fd;                /* where its line comes from; -1: none, or it has come */
    bool announces;              /* gets ready_fd=N as last argument */
    char line[CHILD_LINE_BYTES]; /* what it said when ready, or why it refuses; "" before */
    int64_t started_ns, restart_ns;
    int early_deaths; /* in a row, by itself, before it was ready */
    bool asked;       /* to end */
    int64_t backoff_ms;
};

/* A child that is not running. */
void child_init(struct child *child, const char *name, bool announces);
void child_release(struct child *child); /* Frees its arguments; it must not be running. */

/* Appends one argument; the text is copied. */
void child_add_arg(struct child *child, const char *text);

/* Starts the process. */
MUST_CHECK enum status child_start(struct child *child, struct error *err);

/* Reads the line of a child that announces, without waiting; true once it is ready. */
bool child_is_ready(struct child *child);

/* Why it will not start with its settings (ready.h), or NULL. */
const char *child_refusal(const struct child *child);

/* Looks whether the process has ended: if so, logs it, sets when to start it again, and returns
 * true. */
bool child_has_ended(struct child *child);

/* The time has come to start it again. */
bool child_is_due(const struct child *child);

void child_hang_up(const struct child *child); /* Sends SIGHUP to a running child. */

/* Sends SIGTERM to a running child. */
void child_ask_to_end(struct child *child);

/* Waits until a running child has ended; kills it at the deadline (monotonic). */
void child_await_end(struct child *child, int64_t deadline_ns);

#endif
