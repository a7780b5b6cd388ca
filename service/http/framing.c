#include "service/http/framing.h"

#include "engine/base/str.h"

#include <string.h>
#include <strings.h>

/* What may stand in a header's name: a token of RFC 9110. */
static bool is_token(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool alphanumeric = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!alphanumeric && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return len > 0;
}

static bool is_field_value(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

static enum status check_line(const struct http_header *header, struct error *err) {
    if (header->irregular)
        return error_set(err, STATUS_INVALID, "a header line is folded or not ended by CR LF");
    if (!is_token(header->name, header->name_len))
        return error_set(err, STATUS_INVALID, "a header name is not a token");
    if (!is_field_value(header->value, header->value_len))
        return error_set(err, STATUS_INVALID, "a header value has control characters");
    return STATUS_OK;
}

/* The only header of that name, or NULL; INVALID when there are several. */
static enum status find_single(const struct http_headers *headers, const char *name,
                               const struct http_header **out, struct error *err) {
    *out = NULL;
    for (int i = 0; i < headers->count; i++) {
        const struct http_header *header = &headers->item[i];
        if (header->name_len != strlen(name) || strcasecmp(header->name, name) != 0)
            continue;
        if (*out)
            return error_set(err, STATUS_INVALID, "there is more than one %s header", name);
        *out = header;
    }
    return STATUS_OK;
}

static enum status check_host(const struct http_header *host, bool is_1_1, struct error *err) {
    if (!host)
        return is_1_1 ? error_set(err, STATUS_INVALID, "there is no Host header") : STATUS_OK;
    if (strpbrk(host->value, " \t,/@?#"))
        return error_set(err, STATUS_INVALID, "the Host header is not a host");
    return STATUS_OK;
}

static enum status parse_length(const struct http_header *header, uint64_t *length,
                                struct error *err) {
    /* str_parse_u64 takes no sign, no white space and no list. */
    if (!str_parse_u64(header->value, length) || *length > INT64_MAX)
        return error_set(err, STATUS_INVALID, "the Content-Length is not a number");
    return STATUS_OK;
}

static enum status check_coding(const struct http_header *coding, const struct http_header *length,
                                bool is_1_1, struct error *err) {
    if (length)
        return error_set(err, STATUS_INVALID,
                         "there are both Transfer-Encoding and Content-Length");
    if (!is_1_1)
        return error_set(err, STATUS_INVALID, "HTTP/1.0 has no Transfer-Encoding");
    if (strcasecmp(coding->value, "chunked") != 0)
        return error_set(err, STATUS_UNSUPPORTED, "no transfer coding but \"chunked\" is known");
    return STATUS_OK;
}

static enum status check_expect(const struct http_header *expect, struct framing *framing,
                                struct error *err) {
    if (!expect)
        return STATUS_OK;
    if (strcasecmp(expect->value, "100-continue") != 0)
        return error_set(err, STATUS_INVALID, "no expectation but \"100-continue\" is known");
    framing->expects_continue = true;
    return STATUS_OK;
}

static enum status check_body(const struct http_headers *headers, bool is_1_1,
                              struct framing *framing, struct error *err) {
    const struct http_header *length, *coding, *expect;
    enum status status = find_single(headers, "Content-Length", &length, err);
    if (!status)
        status = find_single(headers, "Transfer-Encoding", &coding, err);
    if (!status)
        status = find_single(headers, "Expect", &expect, err);
    if (!status)
        status = check_expect(expect, framing, err);
    if (status)
        return status;
    framing->chunked = coding != NULL;
    if (coding)
        return check_coding(coding, length, is_1_1, err);
    return length ? parse_length(length, &framing->length, err) : STATUS_OK;
}

enum status framing_check(const struct http_headers *headers, const char *version,
                          struct framing *framing, struct error *err) {
    *framing = (struct framing){0};
    if (headers->overflow)
        return error_set(err, STATUS_TOO_LARGE, "there are more than %d headers", LIMIT_HEADERS);
    for (int i = 0; i < headers->count; i++) {
        enum status status = check_line(&headers->item[i], err);
        if (status)
            return status;
    }
    bool is_1_1 = str_equal(version, "HTTP/1.1");
    const struct http_header *host;
    enum status status = find_single(headers, "Host", &host, err);
    if (!status)
        status = check_host(host, is_1_1, err);
    return status ? status : check_body(headers, is_1_1, framing, err);
}
