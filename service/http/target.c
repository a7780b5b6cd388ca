#include "service/http/target.h"

#include "engine/base/mem.h"
#include "engine/base/str.h"
#include "engine/base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_printable_utf8(const char *text) {
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at < 0x20 || *at == 0x7F)
            return false;
    return utf8_is_valid(text, strlen(text));
}

/* Decodes %HH in place (and, in a query, '+'). */
static enum status unescape(char *text, bool is_query, struct error *err) {
    char *out = text;
    for (const char *in = text; *in; in++) {
        if (*in == '+' && is_query) {
            *out++ = ' ';
            continue;
        }
        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        int high = hex_digit(in[1]), low = high < 0 ? -1 : hex_digit(in[2]);
        if (low < 0)
            return error_set(err, STATUS_INVALID, "the request target has a broken %% escape");
        int byte = high * 16 + low;
        if (byte == 0 || (byte == '/' && !is_query))
            return error_set(err, STATUS_INVALID,
                             "the request target has a forbidden escape %%%02X", (unsigned)byte);
        *out++ = (char)byte;
        in += 2;
    }
    *out = '\0';
    if (!is_printable_utf8(text))
        return error_set(err, STATUS_INVALID,
                         "the request target is not UTF-8 text without control characters");
    return STATUS_OK;
}

/* The part of the text up to a separator; *rest is what follows it, NULL at the end. */
static char *cut(char *text, char separator, char **rest) {
    char *end = strchr(text, separator);
    *rest = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return text;
}

static enum status parse_path(struct target *target, char *path, struct error *err) {
    char *rest = path[0] ? path : NULL;
    while (rest) {
        char *segment = cut(rest, '/', &rest);
        if (target->segment_count == LIMIT_TARGET_SEGMENTS)
            return error_set(err, STATUS_INVALID, "the path has more than %d parts",
                             LIMIT_TARGET_SEGMENTS);
        enum status status = unescape(segment, false, err);
        if (status)
            return status;
        if (str_equal(segment, ".") || str_equal(segment, ".."))
            return error_set(err, STATUS_INVALID, "the path has a relative part");
        target->segment[target->segment_count++] = segment;
    }
    return STATUS_OK;
}

static enum status parse_param(struct target *target, char *text, struct error *err) {
    char *value;
    char *name = cut(text, '=', &value);
    if (!value)
        value = name + strlen(name); /* the empty text at its end */
    if (target->param_count == LIMIT_TARGET_PARAMS)
        return error_set(err, STATUS_INVALID, "the query has more than %d parameters",
                         LIMIT_TARGET_PARAMS);
    enum status status = unescape(name, true, err);
    if (!status)
        status = unescape(value, true, err);
    if (status)
        return status;
    if (target_param(target, name))
        return error_set(err, STATUS_INVALID, "the query names \"%s\" twice", name);
    target->param[target->param_count++] = (struct target_param){name, value};
    return STATUS_OK;
}

static enum status parse_query(struct target *target, char *query, struct error *err) {
    while (query) {
        char *param = cut(query, '&', &query);
        enum status status = param[0] ? parse_param(target, param, err) : STATUS_OK;
        if (status)
            return status;
    }
    return STATUS_OK;
}

/* Where the path begins, after the scheme and authority of the absolute form. */
static const char *skip_authority(const char *raw) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (strncasecmp(raw, schemes[i], strlen(schemes[i])) == 0) {
            const char *path = strpbrk(raw + strlen(schemes[i]), "/?");
            return path ? path : "/";
        }
    return raw;
}

enum status target_parse(struct target *target, const char *raw, struct error *err) {
    *target = (struct target){0};
    raw = skip_authority(raw);
    if (raw[0] != '/')
        return error_set(err, STATUS_INVALID, "the request target does not begin with a slash");
    target->text = xstrdup(raw + 1);
    char *query;
    char *path = cut(target->text, '?', &query);
    enum status status = parse_path(target, path, err);
    if (!status)
        status = parse_query(target, query, err);
    return status;
}

void target_release(struct target *target) {
    free(target->text);
    *target = (struct target){0};
}

const char *target_param(const struct target *target, const char *name) {
    for (int i = 0; i < target->param_count; i++)
        if (str_equal(target->param[i].name, name))
            return target->param[i].value;
    return NULL;
}
