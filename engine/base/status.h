/*
 * status.h - what a function that can fail returns, and the sentence that goes with it.
 *
 * A fallible function returns enum status and takes a struct error as its last parameter. The
 * error is untouched on success, may be NULL, and never allocates. Messages are lower case
 * without a full stop and say what and which value; context is put in front on the way up.
 *
 * Threads: everything here is re-entrant.
 */
#ifndef ENGINE_BASE_STATUS_H
#define ENGINE_BASE_STATUS_H

#include <stdarg.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/* name, stable slug, sentence */
#define STATUS_MAP(X)                                                                              \
    X(OK, "ok", "success")                                                                         \
    X(INVALID, "invalid", "a value is not allowed")                                                \
    X(NOT_FOUND, "not_found", "there is no such thing")                                            \
    X(CONFLICT, "conflict", "the state does not allow it")                                         \
    X(TOO_LARGE, "too_large", "a limit is exceeded")                                               \
    X(TIMEOUT, "timeout", "it took too long")                                                      \
    X(CANCELLED, "cancelled", "stopped on request")                                                \
    X(UNAVAILABLE, "unavailable", "a service it needs does not answer")                            \
    X(IO, "io", "reading or writing failed")                                                       \
    X(NO_SPACE, "no_space", "there is no room left")                                               \
    X(QUOTA, "quota", "a quota is used up")                                                        \
    X(CORRUPT, "corrupt", "stored data is damaged")                                                \
    X(UNSUPPORTED, "unsupported", "this build or machine cannot do it")                            \
    X(OUT_OF_MEMORY, "out_of_memory", "not enough memory")                                         \
    X(DIVERGED, "diverged", "the loss is not finite")                                              \
    X(DEVICE_LOST, "device_lost", "the device stopped working")                                    \
    X(INTERNAL, "internal", "a fault of the program itself")

enum status {
#define STATUS_ENUM(name, slug, sentence) STATUS_##name,
    STATUS_MAP(STATUS_ENUM)
#undef STATUS_ENUM
        STATUS_COUNT
};

enum { ERROR_MESSAGE_BYTES = 400, ERROR_FIELD_BYTES = 48 };

struct error {
    enum status status;
    char field[ERROR_FIELD_BYTES]; /* the input field that is wrong, or "" */
    char message[ERROR_MESSAGE_BYTES];
};

/* Stable lower-case name ("not_found"); "unknown" for a number outside the enum. */
const char *status_slug(enum status status);

/* The sentence of the table above. */
const char *status_sentence(enum status status);

/* Fills err (if not NULL) with a formatted message and returns status. */
enum status error_set(struct error *err, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Like error_set, and names the input field that is wrong. */
enum status error_set_field(struct error *err, enum status status, const char *field,
                            const char *format, ...) PRINTF_LIKE(4, 5);

/* Analysers, and compilers, do not look into variadic functions: this shows them at every call that
 * what comes back is the status that was given. It is evaluated twice. */
static inline enum status status_itself(enum status status) {
    return status;
}
#define error_set(err, status, ...) (error_set(err, status, __VA_ARGS__), status_itself(status))
#define error_set_field(err, status, field, ...)                                                   \
    (error_set_field(err, status, field, __VA_ARGS__), status_itself(status))

/* Puts "<formatted>: " in front of err's message when status is a failure; returns status. */
enum status error_wrap(struct error *err, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Like error_set with strerror(errno_value) appended; ENOSPC and EDQUOT become NO_SPACE,
 * ENOENT NOT_FOUND, ENOMEM OUT_OF_MEMORY, all others IO. */
enum status error_set_errno(struct error *err, int errno_value, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Aborts with file, line and text when the condition is false; for faults of the program only. */
#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))
void check_failed(const char *file, int line, const char *condition) __attribute__((noreturn));

#endif
