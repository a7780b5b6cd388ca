/*
 * job_log.h - what a job's runs say, for people: logs/<job>.log under the data directory.
 *
 * A line is a time, the attempt, and a sentence. The file is bounded: when it is half full it
 * becomes <job>.log.1, in the place of the one before, so that the newest lines are always there.
 * It outlives the job's folder and goes with the job.
 *
 * Ownership: struct job_log and struct job_log_reader are the caller's; open ... close.
 * Errors:    file errors as in base/file.h. Writing never fails a run: what cannot be written is
 *            lost.
 * Threads:   one writer a job (who holds the lock of its folder); any number of readers.
 */
#ifndef SERVICE_STORE_JOB_LOG_H
#define SERVICE_STORE_JOB_LOG_H

#include "engine/base/file.h"
#include "engine/base/str.h"

#include <sys/types.h>

/* ---- writing ---- */

struct job_log {
    int fd; /* -1: not open */
    long long attempt;
    char path[FILE_PATH_BYTES];
};

/* Opens a job's log for this attempt; on failure it may still be written to, in vain. */
void job_log_open(struct job_log *log, const char *data, const char *job_id, long long attempt);
void job_log_close(struct job_log *log); /* Open or zeroed with fd -1. */

/* Adds one line; control characters become spaces. */
void job_log_add(struct job_log *log, const char *format, ...) PRINTF_LIKE(2, 3);

/* ---- reading ---- */

struct job_log_reader {
    int fd; /* -1: there is no log yet */
    off_t offset;
    char path[FILE_PATH_BYTES];
};

/* Appends the last lines so far and stands behind them. A job without a log has none. */
MUST_CHECK enum status job_log_read(struct job_log_reader *reader, const char *data,
                                    const char *job_id, int64_t lines, struct str *out,
                                    struct error *err);

/* Appends the whole lines that have come since. */
void job_log_read_more(struct job_log_reader *reader, struct str *out);
void job_log_reader_close(struct job_log_reader *reader); /* Read or with fd -1. */

/* Removes a job's log; a missing one is fine. */
MUST_CHECK enum status job_log_remove(const char *data, const char *job_id, struct error *err);

#endif
