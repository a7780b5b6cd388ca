#include "engine/base/str.h"
#include "service/common/secret.h"
#include "service/store/redis.h"

#include <string.h>

#define UNIX_SCHEME "unix://"
#define TCP_SCHEME "redis://"

enum { REDIS_PORT = 6379, REDIS_MAX_PORT = 65535, REDIS_MAX_DATABASE = 1 << 20 };

/* Copies [begin, end) without decoding; false when it does not fit. */
static bool copy_part(char *out, size_t out_bytes, const char *begin, const char *end) {
    size_t len = (size_t)(end - begin);
    if (len >= out_bytes)
        return false;
    memcpy(out, begin, len);
    out[len] = '\0';
    return true;
}

static int hex_digit(char c) {
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Decodes %xx in place, as users with '@' need it; false when it is not hexadecimal. */
static bool percent_decode(char *text) {
    char *out = text;
    for (const char *in = text; *in; in++) {
        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        int high = hex_digit(in[1]), low = high < 0 ? -1 : hex_digit(in[2]);
        if (low < 0 || high * 16 + low == 0)
            return false;
        *out++ = (char)(high * 16 + low);
        in += 2;
    }
    *out = '\0';
    return true;
}

static bool parse_user(struct redis_address *address, const char *begin, const char *end) {
    return copy_part(address->user, sizeof address->user, begin, end) && address->user[0] &&
           percent_decode(address->user);
}

static bool parse_number(const char *begin, const char *end, int max, int *out) {
    char text[16];
    int64_t value;
    if (!copy_part(text, sizeof text, begin, end) || !str_parse_i64(text, &value) || value < 0 ||
        value > max)
        return false;
    *out = (int)value;
    return true;
}

/* host, host:port or [v6]:port */
static bool parse_host(struct redis_address *address, const char *begin, const char *end) {
    const char *bracket = *begin == '[' ? memchr(begin, ']', (size_t)(end - begin)) : NULL;
    const char *after = bracket ? bracket + 1 : begin;
    const char *colon = memchr(after, ':', (size_t)(end - after));
    const char *host_end = bracket ? bracket : colon ? colon : end;
    if (*begin == '[' && !bracket)
        return false;
    if (bracket && after != end && colon != after)
        return false;
    if (colon && !parse_number(colon + 1, end, REDIS_MAX_PORT, &address->port))
        return false;
    return copy_part(address->host, sizeof address->host, begin + (bracket != NULL), host_end) &&
           address->host[0];
}

/* The last '@' before the path, or NULL. */
static const char *login_end(const char *text) {
    return memrchr(text, '@', strcspn(text, "/"));
}

static bool parse_unix(struct redis_address *address, const char *text) {
    const char *at = login_end(text), *path = at ? at + 1 : text;
    return (!at || parse_user(address, text, at)) && path[0] == '/' &&
           str_copy(address->unix_path, sizeof address->unix_path, path);
}

static bool parse_tcp(struct redis_address *address, const char *text) {
    const char *end = text + strlen(text), *slash = strchr(text, '/'), *at = login_end(text);
    address->port = REDIS_PORT;
    if (at && !parse_user(address, text, at))
        return false;
    if (slash && slash + 1 < end &&
        !parse_number(slash + 1, end, REDIS_MAX_DATABASE, &address->database))
        return false;
    return parse_host(address, at ? at + 1 : text, slash ? slash : end);
}

enum status redis_address_parse(struct redis_address *address, const char *url, int timeout_ms,
                                struct error *err) {
    *address = (struct redis_address){.timeout_ms = timeout_ms};
    const char *authority = strstr(url, "://"), *at = authority ? login_end(authority + 3) : NULL;
    if (at && memchr(authority + 3, ':', (size_t)(at - authority - 3)))
        return error_set_field(err, STATUS_INVALID, "redis",
                               "redis: everyone can read a password on a command line; write it "
                               "into a file and name that by redis_password_file=");
    bool valid = false;
    if (str_has_prefix(url, UNIX_SCHEME))
        valid = parse_unix(address, url + strlen(UNIX_SCHEME));
    else if (str_has_prefix(url, TCP_SCHEME))
        valid = parse_tcp(address, url + strlen(TCP_SCHEME));
    if (valid)
        return STATUS_OK;
    /* The value may hold a password all the same, so it is not repeated. */
    return error_set_field(err, STATUS_INVALID, "redis",
                           "redis: expected unix://[user@]/path or "
                           "redis://[user@]host[:port][/database]");
}

enum status redis_address_of(struct redis_address *address, const struct config *config,
                             struct error *err) {
    static const char field[] = "redis_password_file";
    char *password = NULL;
    enum status status =
        redis_address_parse(address, config->redis, (int)config->redis_timeout_ms, err);
    if (!status && config->redis_password_file[0])
        status = secret_read_line(&password, field, config->redis_password_file,
                                  sizeof address->password - 1, err);
    else if (!status && address->user[0])
        status =
            error_set_field(err, STATUS_INVALID, field, "%s: the user of redis= needs one", field);
    if (password)
        str_copy(address->password, sizeof address->password, password);
    secret_free(password);
    return status;
}
