/*
 * body.h - a request's body as it arrives, under a limit of its own and one for all together.
 *
 * Memory follows what has come, not what was announced. A body that is a file goes to a temporary
 * file instead, which ends with it, or piece by piece to a sink.
 *
 * Ownership: body_release frees the bytes, removes the file and gives back the share of the budget.
 * Errors:    TOO_LARGE for the own limit, UNAVAILABLE when all bodies together are too large or too
 *            many are files, file errors as in base/file.h.
 * Threads:   a body belongs to one thread, a budget to all.
 */
#ifndef SERVICE_HTTP_BODY_H
#define SERVICE_HTTP_BODY_H

#include "engine/base/file.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct body_budget {
    _Atomic int64_t used_bytes;
    int64_t max_bytes;
    _Atomic int files;
    int max_files;
};

/* Takes the bytes of a body as they come; what it refuses ends the request. */
struct body_sink {
    enum status (*take)(void *ctx, const void *bytes, size_t len, struct error *err);
    void *ctx;
};

struct body {
    char *data; /* NUL-terminated when not NULL */
    size_t len, capacity;
    size_t max_bytes;
    struct body_budget *budget;
    struct file_writer *file; /* where the bytes go instead, or NULL */
    struct body_sink sink;    /* or where they go, if it has a function */
    bool counts;              /* among the budget's files */
};

/* The bytes will go to a temporary file in this folder, with what body->file->tmp_path names. */
MUST_CHECK enum status body_open_file(struct body *body, const char *folder, struct error *err);

/* Counts the body among the files; the caller may then give it a sink. */
MUST_CHECK enum status body_count_file(struct body *body, struct error *err);

/* Appends bytes. */
MUST_CHECK enum status body_add(struct body *body, const char *bytes, size_t len,
                                struct error *err);

void body_release(struct body *body); /* Zeroed or filled. */

#endif
