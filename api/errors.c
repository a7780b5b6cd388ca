#include "api/json_internal.h"

#include <string.h>

/* The HTTP code of each status; one that is missing here does not compile. */
enum {
    CODE_OK = 500, /* not an error: to report it as one is a fault of ours */
    CODE_INVALID = 422,
    CODE_NOT_FOUND = 404,
    CODE_CONFLICT = 409,
    CODE_TOO_LARGE = 413,
    CODE_TIMEOUT = 504,
    CODE_CANCELLED = 503,
    CODE_UNAVAILABLE = 503,
    CODE_IO = 500,
    CODE_NO_SPACE = 507,
    CODE_QUOTA = 429,
    CODE_CORRUPT = 500,
    CODE_UNSUPPORTED = 501,
    CODE_OUT_OF_MEMORY = 503,
    CODE_DIVERGED = 500,
    CODE_DEVICE_LOST = 503,
    CODE_INTERNAL = 500
};

static const struct problem_kind of_status[] = {
#define KIND(name, slug, sentence) {CODE_##name, slug, sentence},
    STATUS_MAP(KIND)
#undef KIND
};
_Static_assert(sizeof of_status / sizeof of_status[0] == STATUS_COUNT, "a row for each status");

static const struct problem_kind of_http[] = {
#define KIND(name, code, slug, title) {code, slug, title},
    PROBLEM_MAP(KIND)
#undef KIND
};

const struct problem_kind *problem_of_error(const struct error *err) {
    if (err->status == STATUS_INVALID && !err->field[0])
        return &of_http[PROBLEM_MALFORMED];
    return &of_status[err->status < STATUS_COUNT ? err->status : STATUS_INTERNAL];
}

const struct problem_kind *problem_of_http(enum problem problem) {
    return &of_http[problem];
}

/* ---- fields ---- */

static bool is_json(const char *text) {
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    json_decref(value);
    return value != NULL;
}

/* Text that is not JSON, or too long to keep, becomes a short JSON string. */
static void set_value(struct field_error *item, const char *value) {
    if (strlen(value) < sizeof item->value && is_json(value)) {
        str_copy(item->value, sizeof item->value, value);
        return;
    }
    struct str quoted = STR_INIT;
    json_show_text(value, &quoted);
    str_copy(item->value, sizeof item->value, str_text(&quoted));
    str_release(&quoted);
}

void field_errors_add(struct field_errors *errors, const char *field, const char *value,
                      const char *detail, const char *range) {
    if (errors->count == FIELD_ERRORS_MAX)
        return;
    struct field_error *item = &errors->item[errors->count++];
    memset(item, 0, sizeof *item);
    str_copy(item->field, sizeof item->field, field);
    str_copy(item->detail, sizeof item->detail, detail);
    str_copy(item->range, sizeof item->range, range ? range : "");
    if (value && *value)
        set_value(item, value);
}

enum status field_errors_status(const struct field_errors *errors, struct error *err) {
    if (!errors->count)
        return STATUS_OK;
    const struct field_error *first = &errors->item[0];
    return error_set_field(err, STATUS_INVALID, first->field, "%s", first->detail);
}

/* ---- problem details ---- */

static void add_field_error(const struct field_error *item, struct str *out) {
    str_add(out, "{\"field\":");
    str_add_json(out, item->field);
    str_add(str_json_key(out, "value"), item->value[0] ? item->value : "null");
    json_add_text(out, "detail", item->detail);
    json_add_text(out, "range", item->range);
    str_add(out, "}");
}

void problem_add_json(const struct problem_kind *kind, const char *detail,
                      const struct field_errors *errors, struct str *out) {
    str_addf(out, "{\"type\":\"%s%s\"", PROBLEM_TYPE_PREFIX, kind->slug);
    json_add_text(out, "title", kind->title);
    str_addf(out, ",\"status\":%d", kind->http_code);
    json_add_text(out, "detail", detail);
    if (errors && errors->count) {
        str_add(out, ",\"errors\":[");
        for (int i = 0; i < errors->count; i++)
            add_field_error(&errors->item[i], str_json_item(out));
        str_add(out, "]");
    }
    str_add(out, "}");
}

int problem_add_error(const struct error *err, const struct field_errors *errors, struct str *out) {
    const struct problem_kind *kind = problem_of_error(err);
    struct field_errors own = {.count = 0};
    if ((!errors || !errors->count) && err->field[0]) {
        field_errors_add(&own, err->field, NULL, err->message, NULL);
        errors = &own;
    }
    problem_add_json(kind, err->message, errors, out);
    return kind->http_code;
}

/* ---- the Open Inference Protocol ---- */

void inference_error_add_text(const char *detail, struct str *out) {
    str_add(out, "{\"error\":");
    str_add_json(out, detail);
    str_add(out, "}");
}

int inference_error_add(const struct error *err, struct str *out) {
    inference_error_add_text(err->message, out);
    if (err->status == STATUS_INVALID)
        return problem_of_http(PROBLEM_MALFORMED)->http_code;
    return problem_of_error(err)->http_code;
}
