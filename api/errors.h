/*
 * errors.h - which HTTP answer goes with which error, as RFC 9457 problem details.
 *
 * Each enum status has one row; what only HTTP knows (a wrong method, say) has rows of its own.
 * An INVALID that names a field is 422, one that names none could not be parsed: 400. When the
 * input of a request turns out to be CORRUPT or NOT_FOUND (a damaged data set, an unknown
 * teacher), make it INVALID with the field that named it before it becomes a problem.
 *
 * Threads: constant tables, pure functions.
 */
#ifndef API_ERRORS_H
#define API_ERRORS_H

#include "engine/base/str.h"

/* name, HTTP code, slug, title: problems that no enum status stands for */
#define PROBLEM_MAP(X)                                                                             \
    X(MALFORMED, 400, "malformed", "the request cannot be parsed")                                 \
    X(UNAUTHORIZED, 401, "unauthorized", "a key is needed, and none that is known was sent")       \
    X(FORBIDDEN, 403, "forbidden", "the key does not have the role that this needs")               \
    X(METHOD_NOT_ALLOWED, 405, "method_not_allowed", "the resource does not know this method")     \
    X(NOT_ACCEPTABLE, 406, "not_acceptable", "no representation of this type exists")              \
    X(REQUEST_TIMEOUT, 408, "request_timeout", "the request took too long to arrive")              \
    X(UNSUPPORTED_MEDIA_TYPE, 415, "unsupported_media_type", "the content type is not accepted")   \
    X(BAD_RANGE, 416, "bad_range", "the range begins after the end of the file")                   \
    X(TOO_MANY_REQUESTS, 429, "too_many_requests", "too much is waiting already")                  \
    X(RATE_LIMITED, 429, "rate_limited", "requests come faster than they may")                     \
    X(HEADERS_TOO_LARGE, 431, "headers_too_large", "the request's headers are too large")

enum problem {
#define PROBLEM_ENUM(name, http, slug, title) PROBLEM_##name,
    PROBLEM_MAP(PROBLEM_ENUM)
#undef PROBLEM_ENUM
        PROBLEM_COUNT
};

struct problem_kind {
    int http_code;
    const char *slug;  /* the last part of `type` */
    const char *title; /* one sentence, the same for all of a kind */
};

#define PROBLEM_TYPE_PREFIX "urn:distilld:problem:"
#define PROBLEM_CONTENT_TYPE "application/problem+json"

/* The kind of an error, by its status and whether it names a field. */
const struct problem_kind *problem_of_error(const struct error *err);

/* The kind of a problem that only HTTP knows. */
const struct problem_kind *problem_of_http(enum problem problem);

enum { FIELD_ERRORS_MAX = 16, FIELD_ERROR_VALUE_BYTES = 400 };

/* What is wrong with one field of a request. */
struct field_error {
    char field[ERROR_FIELD_BYTES];
    char value[FIELD_ERROR_VALUE_BYTES]; /* as JSON text, shortened if long; "": none was given */
    char detail[ERROR_MESSAGE_BYTES];
    char range[ERROR_MESSAGE_BYTES]; /* what is allowed, in words; "": not a matter of range */
};

/* All that is wrong with a request, up to a limit; zero-initialise. */
struct field_errors {
    int count;
    struct field_error item[FIELD_ERRORS_MAX];
};

/* Appends one; value and range may be NULL. A value that is not JSON text is quoted. Silently
 * drops what is over the limit. */
void field_errors_add(struct field_errors *errors, const char *field, const char *value,
                      const char *detail, const char *range);

/* INVALID with the first of the errors, or OK when there are none. */
MUST_CHECK enum status field_errors_status(const struct field_errors *errors, struct error *err);

/* Appends problem details: type, title, status, detail, and `errors` if there are any. When
 * errors is NULL or empty and err names a field, that one is listed. */
void problem_add_json(const struct problem_kind *kind, const char *detail,
                      const struct field_errors *errors, struct str *out);

/* The same for an error; returns the HTTP code to answer with. */
int problem_add_error(const struct error *err, const struct field_errors *errors, struct str *out);

/* Appends an error as the Open Inference Protocol writes it, {"error": "..."}; returns the HTTP
 * code to answer with, in which a wrong field is 400 too. */
int inference_error_add(const struct error *err, struct str *out);
void inference_error_add_text(const char *detail, struct str *out); /* The same of a text. */

#endif
