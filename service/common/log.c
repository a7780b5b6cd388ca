#include "service/common/log.h"

#include "engine/base/clock.h"
#include "engine/base/str.h"

#include <stdlib.h>
#include <unistd.h>

static const char *const LEVEL_NAMES[LOG_LEVEL_COUNT] = {"debug", "info", "warn", "error"};

struct log_field log_text(const char *key, const char *value) {
    return (struct log_field){.kind = LOG_TEXT, .key = key, .text = value};
}

struct log_field log_int(const char *key, int64_t value) {
    return (struct log_field){.kind = LOG_INT, .key = key, .integer = value};
}

struct log_field log_double(const char *key, double value) {
    return (struct log_field){.kind = LOG_DOUBLE, .key = key, .number = value};
}

struct log_field log_error_field(const struct error *err) {
    return log_text("error", err->message);
}

/* Read at each call: a process-wide level would be a mutable global, and lines are few. */
static enum log_level lowest_level(void) {
    const char *name = getenv("DISTILLD_LOG");
    for (int level = 0; name && level < LOG_LEVEL_COUNT; level++)
        if (str_equal(name, LEVEL_NAMES[level]))
            return (enum log_level)level;
    return LOG_INFO;
}

static void add_value(struct str *line, const struct log_field *field) {
    if (field->kind == LOG_INT)
        str_addf(line, "%lld", (long long)field->integer);
    else if (field->kind == LOG_DOUBLE)
        str_add_double(line, field->number);
    else if (field->text)
        str_add_json(line, field->text);
    else
        str_add(line, "null");
}

static void add_json(struct str *line, enum log_level level, const char *event, size_t count,
                     const struct log_field *fields) {
    char time[CLOCK_TEXT_BYTES];
    clock_format(clock_wall_ms(), time);
    str_addf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", time, LEVEL_NAMES[level]);
    str_add_json(line, event);
    str_addf(line, ",\"pid\":%d", (int)getpid());
    for (size_t i = 0; i < count; i++) {
        if (fields[i].kind == LOG_NOTHING)
            continue;
        str_add(line, ",");
        str_add_json(line, fields[i].key);
        str_add(line, ":");
        add_value(line, &fields[i]);
    }
    str_add(line, "}\n");
}

static void add_readable(struct str *line, enum log_level level, const char *event, size_t count,
                         const struct log_field *fields) {
    char time[CLOCK_TEXT_BYTES];
    clock_format(clock_wall_ms(), time);
    str_addf(line, "%.8s %-5s %s", time + sizeof "2026-01-31T" - 1, LEVEL_NAMES[level], event);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].kind == LOG_NOTHING)
            continue;
        str_addf(line, "  %s=", fields[i].key);
        add_value(line, &fields[i]);
    }
    str_add(line, "\n");
}

void log_write(enum log_level level, const char *event, size_t count,
               const struct log_field *fields) {
    if (level < lowest_level())
        return;
    struct str line = STR_INIT;
    if (isatty(STDERR_FILENO))
        add_readable(&line, level, event, count, fields);
    else
        add_json(&line, level, event, count, fields);
    /* A log that cannot be written has nowhere to be reported. */
    ssize_t written = write(STDERR_FILENO, str_text(&line), line.len);
    (void)written;
    str_release(&line);
}
