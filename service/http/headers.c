#include "service/http/server_internal.h"

/*
 * libmicrohttpd before 1.0 hides two things that only the place of the texts in its buffer tells:
 * a folded line ("A: 1 CR LF SP 2"), whose rest it appends to a copy of the header's name (so that
 * "Content-: 5" folded with "Length" becomes a Content-Length); and a line that ends with a lone
 * CR or LF, which a proxy may see as the middle of a value. It ends name and value with NUL where
 * they stand, so between value and next name there are two bytes, those of CR LF. Later versions
 * do refuse both.
 */
struct collector {
    struct http_headers *headers;
    bool in_place;            /* texts are where they were received */
    const char *previous_end; /* of the header before, or NULL */
};

static bool is_folded(const char *name, size_t name_len, const char *value) {
    uintptr_t from = (uintptr_t)name + name_len + 1, to = (uintptr_t)value;
    if (to < from || to - from > LIMIT_CONNECTION_BYTES)
        return true;
    for (const char *at = name + name_len + 1; at < value; at++)
        if (*at != ' ' && *at != '\t')
            return true;
    return false;
}

static bool follows_line_end(const struct collector *collector, const char *name) {
    return !collector->previous_end ||
           (uintptr_t)name - (uintptr_t)collector->previous_end == sizeof "\r\n" - 1;
}

static enum MHD_Result collect(void *ctx, enum MHD_ValueKind kind, const char *name,
                               size_t name_len, const char *value, size_t value_len) {
    (void)kind;
    struct collector *collector = ctx;
    struct http_headers *headers = collector->headers;
    if (headers->count == LIMIT_HEADERS) {
        headers->overflow = true;
        return MHD_NO;
    }
    headers->item[headers->count++] = (struct http_header){
        .name = name,
        .name_len = name_len,
        .value = value ? value : "",
        .value_len = value_len,
        .irregular = collector->in_place && (!value || is_folded(name, name_len, value) ||
                                             !follows_line_end(collector, name)),
    };
    collector->previous_end = value + value_len;
    return MHD_YES;
}

void exchange_headers(struct exchange *exchange, struct http_headers *headers) {
    headers->count = 0;
    headers->overflow = false;
    struct collector collector = {headers, MHD_get_version()[0] == '0', NULL};
    MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND, collect, &collector);
}
