/*
 * reply.h - an answer before it is sent: status, headers, and bytes, a file or a stream.
 *
 * Ownership: the body, file and stream belong to the reply until it is sent or released.
 * Threads:   a reply belongs to one thread at a time.
 */
#ifndef SERVICE_HTTP_REPLY_H
#define SERVICE_HTTP_REPLY_H

#include "api/errors.h"
#include "engine/spec/fields.h"

struct stream;

enum { REPLY_MAX_HEADERS = 16, REPLY_HEADER_BYTES = 200 };

/* Of answers that are no errors; those of errors stand in api/errors.c. */
enum {
    HTTP_OK = 200,
    HTTP_CREATED = 201,
    HTTP_ACCEPTED = 202,
    HTTP_NO_CONTENT = 204,
    HTTP_PARTIAL = 206,
    HTTP_FOUND = 302,
    HTTP_NOT_MODIFIED = 304
};

struct reply_header {
    const char *name; /* a constant */
    char value[REPLY_HEADER_BYTES];
};

/* How errors are written. */
enum reply_form {
    REPLY_PROBLEM,  /* problem details, RFC 9457 */
    REPLY_INFERENCE /* {"error": "..."} of the Open Inference Protocol, for what is under /v2 */
};

struct reply {
    enum reply_form form;     /* outlives reply_release, */
    const char *data;         /* and so does this: the folder that no error names, or NULL */
    int code;                 /* HTTP status; 0: not filled yet */
    const char *content_type; /* a constant; NULL when there is no body */
    struct str body;
    int file; /* descriptor, or -1; sent instead of the body */
    uint64_t file_offset, file_bytes;
    struct stream *stream; /* or NULL; sent instead of the body */
    int header_count;
    struct reply_header header[REPLY_MAX_HEADERS];
};

void reply_init(struct reply *reply);    /* Empty. */
void reply_release(struct reply *reply); /* Frees what it still owns. */

/* Adds a header with a formatted value, which is cut if too long. */
void reply_header(struct reply *reply, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

/* The body that the caller goes on to fill, with its code and type. */
struct str *reply_body(struct reply *reply, int code, const char *content_type);
struct str *reply_json(struct reply *reply, int code); /* The same for application/json. */

/* Problem details, or what its form says, for an error of any module; what was filled before is
 * dropped. 503 and 429 get Retry-After, but for RATE_LIMITED, whose time the caller knows. */
void reply_error(struct reply *reply, const struct error *err);

/* The same with all that is wrong with a body's fields. */
void reply_field_errors(struct reply *reply, const struct error *err,
                        const struct field_errors *errors);

/* Adds a member of its own to problem details. */
void reply_extend(struct reply *reply, const char *name, int64_t value);

/* Problem details for what only HTTP knows. */
void reply_problem(struct reply *reply, enum problem problem, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
