#include "service/http/reply.h"

#include "api/limits.h"
#include "service/common/log.h"
#include "service/http/stream.h"
#include "service/store/stored_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HTTP_TOO_MANY_REQUESTS = 429, HTTP_INTERNAL = 500, HTTP_UNAVAILABLE = 503 };

void reply_init(struct reply *reply) {
    *reply = (struct reply){.file = -1};
}

void reply_release(struct reply *reply) {
    str_release(&reply->body);
    if (reply->file >= 0)
        close(reply->file);
    stream_close(reply->stream);
    *reply = (struct reply){.form = reply->form, .data = reply->data, .file = -1};
}

void reply_header(struct reply *reply, const char *name, const char *format, ...) {
    CHECK(reply->header_count < REPLY_MAX_HEADERS);
    struct reply_header *header = &reply->header[reply->header_count++];
    header->name = name;
    va_list args;
    va_start(args, format);
    vsnprintf(header->value, sizeof header->value, format, args);
    va_end(args);
}

struct str *reply_body(struct reply *reply, int code, const char *content_type) {
    reply->code = code;
    reply->content_type = content_type;
    return &reply->body;
}

struct str *reply_json(struct reply *reply, int code) {
    return reply_body(reply, code, "application/json");
}

/* Says what went wrong inside to the log, not to the client: messages may name files. */
static struct error publishable(const struct error *err) {
    struct error out = *err;
    if (problem_of_error(err)->http_code == HTTP_INTERNAL) {
        log_fail("request_failed", log_text("status", status_slug(err->status)),
                 log_error_field(err));
        error_set(&out, err->status, "%s", status_sentence(err->status));
    }
    return out;
}

void reply_field_errors(struct reply *reply, const struct error *err,
                        const struct field_errors *errors) {
    struct error out = publishable(err);
    reply_release(reply);
    if (reply->form == REPLY_INFERENCE)
        reply->code = inference_error_add(&out, reply_json(reply, 0));
    else
        reply->code = problem_add_error(&out, errors, reply_body(reply, 0, PROBLEM_CONTENT_TYPE));
    if (reply->data) {
        stored_error_hide(reply->data, reply->body.data);
        reply->body.len = strlen(reply->body.data);
    }
    if (reply->code == HTTP_UNAVAILABLE || reply->code == HTTP_TOO_MANY_REQUESTS)
        reply_header(reply, "Retry-After", "%d", LIMIT_RETRY_AFTER_S);
}

void reply_error(struct reply *reply, const struct error *err) {
    reply_field_errors(reply, err, NULL);
}

void reply_extend(struct reply *reply, const char *name, int64_t value) {
    struct str *body = &reply->body;
    CHECK(body->len > 0 && body->data[body->len - 1] == '}');
    body->data[--body->len] = '\0';
    str_addf(body, ",\"%s\":%lld}", name, (long long)value);
}

void reply_problem(struct reply *reply, enum problem problem, const char *format, ...) {
    char detail[ERROR_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    const struct problem_kind *kind = problem_of_http(problem);
    reply_release(reply);
    if (reply->form == REPLY_INFERENCE)
        inference_error_add_text(detail, reply_json(reply, kind->http_code));
    else
        problem_add_json(kind, detail, NULL,
                         reply_body(reply, kind->http_code, PROBLEM_CONTENT_TYPE));
    if (problem == PROBLEM_TOO_MANY_REQUESTS)
        reply_header(reply, "Retry-After", "%d", LIMIT_RETRY_AFTER_S);
}
