#include "api/params.h"

#include "api/job.h"
#include "api/limits.h"

const struct param params[] = {
#define PARAM(handler, param, ...) {.route = #handler, .name = param, .type = PARAM_##__VA_ARGS__},
#include "api/routes.def"
};
const int param_count = sizeof params / sizeof params[0];

const struct param *param_find(const char *route, const char *name) {
    for (int i = 0; i < param_count; i++)
        if (str_equal(params[i].route, route) && str_equal(params[i].name, name))
            return &params[i];
    return NULL;
}

bool params_are_open(const char *route) {
    static const char *const routes[] = {
        "docs",    "docs_file", "health",   "model_create",   "openapi",   "prometheus", "ready",
        "v2_live", "v2_model",  "v2_ready", "v2_model_ready", "v2_server", "root",       NULL};
    return str_index(routes, route) >= 0;
}

static bool read_int(const struct param *param, const char *text, int64_t *value) {
    return str_parse_i64(text, value) && *value >= param->min && *value <= param->max;
}

static bool read_bool(const struct param *param, const char *text, int64_t *value) {
    static const char *const words[] = {"false", "true", "0", "1", NULL};
    (void)param;
    int i = str_index(words, text);
    *value = i & 1;
    return i >= 0;
}

static bool read_word(const struct param *param, const char *text, int64_t *value) {
    *value = str_index(param->words, text);
    return *value >= 0;
}

static bool read_text(const struct param *param, const char *text, int64_t *value) {
    (void)param, (void)text, (void)value;
    return true;
}

bool param_read(const struct param *param, const char *text, int64_t *value) {
    static bool (*const readers[])(const struct param *, const char *, int64_t *) = {
        [PARAM_INT] = read_int,
        [PARAM_BOOL] = read_bool,
        [PARAM_WORD] = read_word,
        [PARAM_TEXT] = read_text,
    };
    return readers[param->type](param, text, value);
}

void param_add_range(const struct param *param, struct str *out) {
    if (param->type == PARAM_INT)
        str_addf(out, "%lld to %lld", (long long)param->min, (long long)param->max);
    else if (param->type == PARAM_BOOL)
        str_add(out, "true or false");
    else if (param->range)
        str_add(out, param->range);
    else
        for (int i = 0; param->words[i]; i++)
            str_addf(out, "%s%s", i ? ", " : "one of ", param->words[i]);
}
