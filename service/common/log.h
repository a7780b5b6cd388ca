/*
 * log.h - one line an event on stderr: JSON, or readable text when stderr is a terminal.
 *
 *     log_info("job_claimed", log_text("job", id), log_int("attempt", attempt));
 *
 * Every line has time, level, event and pid. The environment variable DISTILLD_LOG names the
 * lowest level that is written (debug, info, warn, error); the default is info.
 *
 * Ownership: nothing is kept; texts are borrowed for the call.
 * Threads:   any; a line is written with one system call, so lines do not mix.
 */
#ifndef SERVICE_COMMON_LOG_H
#define SERVICE_COMMON_LOG_H

#include "engine/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVEL_COUNT };

enum log_kind { LOG_NOTHING, LOG_TEXT, LOG_INT, LOG_DOUBLE };

/* One named value of a line; made by the functions below. */
struct log_field {
    enum log_kind kind;
    const char *key;
    const char *text;
    int64_t integer;
    double number;
};

struct log_field log_text(const char *key, const char *value); /* NULL is written as null. */
struct log_field log_int(const char *key, int64_t value);      /* An integer. */
struct log_field log_double(const char *key, double value);    /* A number, or null if NaN. */
struct log_field log_error_field(const struct error *err);     /* The message, as "error". */

/* Writes one line if the level is high enough. */
void log_write(enum log_level level, const char *event, size_t count,
               const struct log_field *fields);

/* The first, empty field allows an event without any. */
#define LOG_FIELDS(...) ((const struct log_field[]){{0}, ##__VA_ARGS__})
#define LOG_COUNT(...) (sizeof LOG_FIELDS(__VA_ARGS__) / sizeof(struct log_field))
#define LOG_AT(level, event, ...)                                                                  \
    log_write(level, event, LOG_COUNT(__VA_ARGS__), LOG_FIELDS(__VA_ARGS__))
#define log_debug(event, ...) LOG_AT(LOG_DEBUG, event, ##__VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_INFO, event, ##__VA_ARGS__)
#define log_warn(event, ...) LOG_AT(LOG_WARN, event, ##__VA_ARGS__)
#define log_fail(event, ...) LOG_AT(LOG_ERROR, event, ##__VA_ARGS__)

#endif
