#include "service/http/request.h"

#include "engine/base/str.h"

#include <string.h>

const char *request_header(const struct request *request, const char *name) {
    return request->ops->header(request, name);
}

const char *request_query(const struct request *request, const char *name) {
    return target_param(request->target, name);
}

/* The word is one of those of a text that are separated by single spaces. */
static bool is_word_of(const char *words, const char *word) {
    size_t len = strlen(word);
    for (const char *at = words; len && (at = strstr(at, word)); at += len)
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

enum status request_check_query(const struct request *request, const char *names,
                                struct error *err) {
    for (int i = 0; i < request->target->param_count; i++) {
        const char *name = request->target->param[i].name;
        if (!is_word_of(names, name))
            return error_set_field(err, STATUS_INVALID, name,
                                   "unknown query parameter; known are: %s",
                                   names[0] ? names : "none");
    }
    return STATUS_OK;
}

enum status request_query_int(const struct request *request, const char *name, int64_t min,
                              int64_t max, int64_t *value, struct error *err) {
    const char *text = request_query(request, name);
    int64_t number;
    if (!text)
        return STATUS_OK;
    if (!str_parse_i64(text, &number) || number < min || number > max)
        return error_set_field(err, STATUS_INVALID, name,
                               "\"%s\" is not a number from %lld to %lld", text, (long long)min,
                               (long long)max);
    *value = number;
    return STATUS_OK;
}

enum status request_query_bool(const struct request *request, const char *name, bool *value,
                               struct error *err) {
    const char *text = request_query(request, name);
    if (!text)
        return STATUS_OK;
    bool is_true = str_equal(text, "true") || str_equal(text, "1");
    if (!is_true && !str_equal(text, "false") && !str_equal(text, "0"))
        return error_set_field(err, STATUS_INVALID, name, "\"%s\" is not true or false", text);
    *value = is_true;
    return STATUS_OK;
}

void request_suspend(struct request *request, handler_fn then) {
    request->ops->suspend(request, then);
}

void request_resume(struct request *request) {
    request->ops->resume(request);
}
