#include "engine/base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const slugs[STATUS_COUNT] = {
#define STATUS_SLUG(name, slug, sentence) slug,
    STATUS_MAP(STATUS_SLUG)
#undef STATUS_SLUG
};

static const char *const sentences[STATUS_COUNT] = {
#define STATUS_SENTENCE(name, slug, sentence) sentence,
    STATUS_MAP(STATUS_SENTENCE)
#undef STATUS_SENTENCE
};

const char *status_slug(enum status status) {
    return (unsigned)status < STATUS_COUNT ? slugs[status] : "unknown";
}

const char *status_sentence(enum status status) {
    return (unsigned)status < STATUS_COUNT ? sentences[status] : "unknown";
}

/* The message is built aside, because the arguments may point into err itself. */
PRINTF_LIKE(4, 0)
static enum status fill(struct error *err, enum status status, const char *field,
                        const char *format, va_list args) {
    char message[ERROR_MESSAGE_BYTES];
    vsnprintf(message, sizeof message, format, args);
    err->status = status;
    memmove(err->message, message, sizeof message);
    snprintf(err->field, sizeof err->field, "%s", field);
    return status;
}

/* In parentheses, because of the macro of the same name. */
enum status(error_set)(struct error *err, enum status status, const char *format, ...) {
    if (!err)
        return status;
    va_list args;
    va_start(args, format);
    fill(err, status, "", format, args);
    va_end(args);
    return status;
}

enum status(error_set_field)(struct error *err, enum status status, const char *field,
                             const char *format, ...) {
    if (!err)
        return status;
    va_list args;
    va_start(args, format);
    fill(err, status, field, format, args);
    va_end(args);
    return status;
}

/* Appends to a message of fixed size, cutting what does not fit. */
static void append(char *message, const char *text) {
    size_t len = strlen(message), room = ERROR_MESSAGE_BYTES - 1 - len;
    size_t take = strlen(text);
    if (take > room)
        take = room;
    memcpy(message + len, text, take);
    message[len + take] = '\0';
}

enum status error_wrap(struct error *err, enum status status, const char *format, ...) {
    if (!err || !status)
        return status;
    char message[ERROR_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    append(message, ": ");
    append(message, err->message);
    memcpy(err->message, message, sizeof message);
    return status;
}

static enum status errno_status(int errno_value) {
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return STATUS_NO_SPACE;
    case ENOENT:
        return STATUS_NOT_FOUND;
    case ENOMEM:
        return STATUS_OUT_OF_MEMORY;
    default:
        return STATUS_IO;
    }
}

enum status error_set_errno(struct error *err, int errno_value, const char *format, ...) {
    enum status status = errno_status(errno_value);
    if (!err)
        return status;
    va_list args;
    va_start(args, format);
    fill(err, status, "", format, args);
    va_end(args);
    char buffer[128];
    append(err->message, ": ");
    append(err->message, strerror_r(errno_value, buffer, sizeof buffer));
    return status;
}

void check_failed(const char *file, int line, const char *condition) {
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
    abort();
}
