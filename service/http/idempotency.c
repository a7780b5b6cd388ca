#include "service/http/idempotency.h"

#include <string.h>

static enum status refuse(struct error *err) {
    return error_set(err, STATUS_INVALID,
                     "the Idempotency-Key must be 1 to %d printable ASCII characters, bare or as a "
                     "string with its quotes",
                     LIMIT_IDEMPOTENCY_KEY);
}

/* Takes one character of the header; inside quotes a backslash stands before quote and backslash.
 */
static bool take(const char **at, bool quoted, char *out) {
    if (quoted && **at == '\\' && ((*at)[1] == '"' || (*at)[1] == '\\'))
        (*at)++;
    else if (**at == '"' || (quoted && **at == '\\'))
        return false;
    *out = **at;
    (*at)++;
    return *out >= ' ' && *out <= '~';
}

enum status idempotency_key(const struct request *request, char key[IDEMPOTENCY_KEY_BYTES],
                            struct error *err) {
    const char *at = request_header(request, "Idempotency-Key");
    size_t len = 0;
    key[0] = '\0';
    if (!at)
        return STATUS_OK;
    if (strlen(at) > LIMIT_IDEMPOTENCY_KEY)
        return refuse(err);
    bool quoted = *at == '"';
    at += quoted;
    while (*at && !(quoted && *at == '"'))
        if (!take(&at, quoted, &key[len++]))
            return refuse(err);
    if (len == 0 || !str_equal(at, quoted ? "\"" : ""))
        return refuse(err);
    key[len] = '\0';
    return STATUS_OK;
}
