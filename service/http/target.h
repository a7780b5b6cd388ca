/*
 * target.h - a request target: the segments of its path and its query, decoded strictly.
 *
 * The raw text is split first and decoded after, so that an escaped slash can never make a
 * segment. %00 and %2F, control characters, "." and ".." as segments, broken escapes, invalid
 * UTF-8 and a query name given twice are errors.
 *
 * Ownership: segments and parameters point into the target; target_release frees them, after an
 *            error too: what stands before the fault is there then.
 * Errors:    INVALID.
 * Threads:   a value.
 */
#ifndef SERVICE_HTTP_TARGET_H
#define SERVICE_HTTP_TARGET_H

#include "api/limits.h"
#include "engine/base/status.h"

struct target_param {
    const char *name, *value; /* "a" is the same as "a=" */
};

struct target {
    char *text; /* what the pointers point into */
    int segment_count, param_count;
    const char *segment[LIMIT_TARGET_SEGMENTS]; /* "/jobs/x" has "jobs" and "x"; "/" has none */
    struct target_param param[LIMIT_TARGET_PARAMS];
};

/* Parses "/path?query" or the absolute form "http://host/path?query" (https too). */
MUST_CHECK enum status target_parse(struct target *target, const char *raw, struct error *err);

void target_release(struct target *target); /* Zeroed or parsed. */

/* The value of a query parameter, or NULL. */
const char *target_param(const struct target *target, const char *name);

#endif
