#include "service/http/multipart.h"

#include "engine/base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BOUNDARY "boundary="

/* What may stand in a boundary. */
static bool is_boundary(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool alphanumeric = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!alphanumeric && !strchr("'()+_,-./:=? ", c))
            return false;
    }
    return len > 0 && len <= MULTIPART_BOUNDARY_BYTES && text[len - 1] != ' ';
}

/* The boundary among a media type's parameters, bare or in quotes; NULL when there is none. */
static const char *find_boundary(const char *header, size_t *len) {
    for (const char *at = strchr(header, ';'); at; at = strchr(at, ';')) {
        at += 1 + strspn(at + 1, " \t");
        if (strncasecmp(at, BOUNDARY, sizeof BOUNDARY - 1) != 0)
            continue;
        at += sizeof BOUNDARY - 1;
        bool quoted = *at == '"';
        at += quoted;
        *len = strcspn(at, quoted ? "\"" : "; \t");
        return is_boundary(at, *len) && (!quoted || at[*len] == '"') ? at : NULL;
    }
    return NULL;
}

static bool has(const struct multipart *form, const char *text) {
    size_t len = strlen(text);
    return (size_t)(form->end - form->at) >= len && memcmp(form->at, text, len) == 0;
}

static bool skip(struct multipart *form, const char *text) {
    if (!has(form, text))
        return false;
    form->at += strlen(text);
    return true;
}

/* From behind a delimiter to the next part's headers, or the end. */
static enum status pass_delimiter(struct multipart *form, struct error *err) {
    if (skip(form, "--")) {
        form->is_done = true;
        return STATUS_OK;
    }
    while (has(form, " ") || has(form, "\t"))
        form->at++;
    if (skip(form, "\r\n"))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "the boundary before part %d is not a line of its own",
                     form->count);
}

/* Moves behind the next delimiter; *before is where it began. */
static enum status find_delimiter(struct multipart *form, const char **before, struct error *err) {
    *before =
        memmem(form->at, (size_t)(form->end - form->at), form->delimiter, form->delimiter_len);
    if (!*before)
        return error_set(err, STATUS_INVALID, "the body ends before its closing boundary");
    form->at = *before + form->delimiter_len;
    return STATUS_OK;
}

enum status multipart_begin(struct multipart *form, const char *header, const char *body,
                            size_t len, struct error *err) {
    size_t boundary_len = 0;
    const char *before, *boundary = find_boundary(header, &boundary_len);
    *form = (struct multipart){.at = body, .end = body + len};
    if (!boundary)
        return error_set(err, STATUS_INVALID,
                         "the content type has no boundary of 1 to %d characters",
                         MULTIPART_BOUNDARY_BYTES);
    snprintf(form->delimiter, sizeof form->delimiter, "\r\n--%.*s", (int)boundary_len, boundary);
    form->delimiter_len = strlen(form->delimiter);
    enum status status = STATUS_OK;
    if (!skip(form, form->delimiter + strlen("\r\n"))) /* no line before the first part */
        status = find_delimiter(form, &before, err);
    return status ? status : pass_delimiter(form, err);
}

enum status multipart_next(struct multipart *form, struct multipart_part *part, struct error *err) {
    const char *before;
    form->count++;
    if (!skip(form, "\r\n")) { /* it has headers; what they say does not matter */
        const char *data = memmem(form->at, (size_t)(form->end - form->at), "\r\n\r\n", 4);
        if (!data)
            return error_set(err, STATUS_INVALID, "part %d has no end of its headers",
                             form->count - 1);
        form->at = data + 4;
    }
    part->bytes = form->at;
    enum status status = find_delimiter(form, &before, err);
    if (status)
        return status;
    part->len = (size_t)(before - part->bytes);
    return pass_delimiter(form, err);
}
