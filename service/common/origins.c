#include "service/common/origins.h"

#include <ctype.h>
#include <string.h>

/* "[::1]" or "name.example", without the port. */
static size_t host_chars(const char *text, size_t len) {
    size_t at = 0;
    if (len && text[0] == '[') {
        while (at < len && text[at] != ']')
            at++;
        return at < len ? at + 1 : 0;
    }
    while (at < len && (islower((unsigned char)text[at]) || isdigit((unsigned char)text[at]) ||
                        strchr("-._", text[at])))
        at++;
    return at;
}

static bool is_port(const char *text, size_t len) {
    size_t digits = 1;
    if (len < 2 || len > 6 || text[0] != ':')
        return len == 0;
    while (digits < len && isdigit((unsigned char)text[digits]))
        digits++;
    return digits == len;
}

static bool is_origin(const char *text, size_t len) {
    static const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t scheme = strlen(schemes[i]);
        if (len <= scheme || memcmp(text, schemes[i], scheme) != 0)
            continue;
        size_t host = host_chars(text + scheme, len - scheme);
        return host > 0 && is_port(text + scheme + host, len - scheme - host);
    }
    return false;
}

enum status origins_check(const char *list, struct error *err) {
    if (!list[0] || str_equal(list, "*"))
        return STATUS_OK;
    for (const char *item = list;; item++) {
        size_t len = strcspn(item, ",");
        if (len > ORIGIN_MAX_CHARS || !is_origin(item, len))
            return error_set_field(err, STATUS_INVALID, "cors_origins",
                                   "cors_origins: %.*s is no origin like https://host:port, and "
                                   "not the one word *",
                                   len > ORIGIN_MAX_CHARS ? ORIGIN_MAX_CHARS : (int)len, item);
        item += len;
        if (!*item)
            return STATUS_OK;
    }
}

bool origins_have(const char *list, const char *origin) {
    size_t wanted = strlen(origin);
    if (str_equal(list, "*"))
        return true;
    for (const char *item = list; wanted && *item;) {
        size_t len = strcspn(item, ",");
        if (len == wanted && memcmp(item, origin, len) == 0)
            return true;
        item += len + (item[len] == ',');
    }
    return false;
}
