/* Problem details: codes, kinds and JSON. */
#include "api/errors.h"
#include "tests/support/t.h"

static void test_codes(void) {
    static const struct {
        enum status status;
        const char *field;
        int code;
    } cases[] = {
        {STATUS_INVALID, "", 400},   {STATUS_INVALID, "epochs", 422},
        {STATUS_NOT_FOUND, "", 404}, {STATUS_CONFLICT, "", 409},
        {STATUS_TOO_LARGE, "", 413}, {STATUS_UNAVAILABLE, "", 503},
        {STATUS_NO_SPACE, "", 507},  {STATUS_INTERNAL, "", 500},
        {STATUS_CORRUPT, "", 500},   {STATUS_UNSUPPORTED, "", 501},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {.status = cases[i].status};
        str_copy(err.field, sizeof err.field, cases[i].field);
        T_INT(problem_of_error(&err)->http_code, cases[i].code);
    }
    T_INT(problem_of_http(PROBLEM_METHOD_NOT_ALLOWED)->http_code, 405);
    T_STR(problem_of_http(PROBLEM_UNSUPPORTED_MEDIA_TYPE)->slug, "unsupported_media_type");
}

static void test_every_status_has_an_error_code_and_a_sentence(void) {
    for (int i = 0; i < STATUS_COUNT; i++) {
        struct error err = {.status = (enum status)i, .field = "f"};
        const struct problem_kind *kind = problem_of_error(&err);
        T_CHECK(kind->http_code >= 400 && kind->http_code < 600);
        T_STR(kind->slug, status_slug(err.status));
        T_STR(kind->title, status_sentence(err.status));
    }
}

static void test_problem_details(void) {
    struct field_errors errors = {.count = 0};
    struct str json = STR_INIT;
    struct error err = {STATUS_INVALID, "epochs", "epochs must be 1 to 9, not 0"};
    field_errors_add(&errors, "epochs", "0", "epochs must be 1 to 9, not 0", "1 to 9");
    field_errors_add(&errors, "bogus", NULL, "unknown", NULL);
    T_INT(problem_add_error(&err, &errors, &json), 422);
    T_STR(str_text(&json),
          "{\"type\":\"urn:distilld:problem:invalid\",\"title\":\"a value is not allowed\","
          "\"status\":422,\"detail\":\"epochs must be 1 to 9, not 0\",\"errors\":["
          "{\"field\":\"epochs\",\"value\":0,\"detail\":\"epochs must be 1 to 9, not 0\","
          "\"range\":\"1 to 9\"},"
          "{\"field\":\"bogus\",\"value\":null,\"detail\":\"unknown\",\"range\":null}]}");
    str_release(&json);
}

static void test_an_error_with_a_field_lists_it(void) {
    struct str json = STR_INIT;
    struct error err = {STATUS_CONFLICT, "name", "taken"};
    T_INT(problem_add_error(&err, NULL, &json), 409);
    T_CONTAINS(str_text(&json), "\"errors\":[{\"field\":\"name\"");
    str_clear(&json);
    err.field[0] = '\0';
    T_INT(problem_add_error(&err, NULL, &json), 409);
    T_CHECK(!strstr(str_text(&json), "errors"));
    str_release(&json);
}

static void test_values_are_always_json(void) {
    static const struct {
        const char *value, *kept;
    } cases[] = {
        {"3", "3"},
        {"\"a\"", "\"a\""},
        {"abc", "\"abc\""},
        {"a\"b", "\"a\\\"b\""},
        {"{\"a\":", "\"{\\\"a\\\":\""},
        {"[1, 2]", "[1, 2]"},
    };
    struct field_errors errors = {.count = 0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        field_errors_add(&errors, "f", cases[i].value, "d", NULL);
        T_STR(errors.item[i].value, cases[i].kept);
    }
    char longest[5000];
    memset(longest, 1, sizeof longest);
    longest[sizeof longest - 1] = '\0';
    field_errors_add(&errors, "f", longest, "d", NULL);
    const char *kept = errors.item[errors.count - 1].value;
    T_CHECK(str_has_prefix(kept, "\"\\u0001") && str_has_suffix(kept, "...\""));
}

int main(void) {
    T_RUN(test_codes);
    T_RUN(test_every_status_has_an_error_code_and_a_sentence);
    T_RUN(test_problem_details);
    T_RUN(test_an_error_with_a_field_lists_it);
    T_RUN(test_values_are_always_json);
    return t_done();
}
