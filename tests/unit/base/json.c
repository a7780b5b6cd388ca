#include "engine/base/json.h"

#include "engine/base/clock.h"
#include "engine/base/rng.h"
#include "engine/base/str.h"
#include "tests/support/t.h"

/* Parses a copy that ends with the last byte, so that a sanitizer sees every read beyond it. */
static enum status parse_bytes(struct arena *arena, const char *text, size_t len,
                               const struct json **out, struct error *err) {
    char *copy = xmalloc(len);
    if (len)
        memcpy(copy, text, len);
    enum status status = json_parse(arena, copy, len, out, err);
    free(copy);
    return status;
}

static const struct json *parse(struct arena *arena, const char *text) {
    struct error err = {0};
    const struct json *value = NULL;
    if (parse_bytes(arena, text, strlen(text), &value, &err) != STATUS_OK)
        T_FAIL("%s: %s", text, err.message);
    return value;
}

static void test_values(void) {
    struct arena arena = {0};
    T_INT(parse(&arena, "null")->type, JSON_NULL);
    T_CHECK(parse(&arena, " true ")->boolean);
    T_INT(parse(&arena, "false")->type, JSON_BOOL);
    T_CHECK(!parse(&arena, "false")->boolean);
    T_STR(parse(&arena, "\"x\"")->string, "x");
    T_INT(parse(&arena, "[]")->type, JSON_ARRAY);
    T_INT(parse(&arena, "\t{\r\n}\n")->type, JSON_OBJECT);
    arena_release(&arena);
}

static void test_numbers(void) {
    struct arena arena = {0};
    T_INT(json_integer_or(parse(&arena, "-9223372036854775808"), 1), INT64_MIN);
    T_INT(json_integer_or(parse(&arena, "9223372036854775807"), 1), INT64_MAX);
    T_INT(json_integer_or(parse(&arena, "0"), 1), 0);
    T_NEAR(json_number_or(parse(&arena, "-12.5e-1"), 0), -1.25, 0);
    T_NEAR(json_number_or(parse(&arena, "3"), 0), 3, 0);
    T_CHECK(!parse(&arena, "1.0")->is_integer);
    T_CHECK(!parse(&arena, "1e2")->is_integer);
    T_CHECK(!parse(&arena, "9223372036854775808")->is_integer);
    T_NEAR(parse(&arena, "9223372036854775808")->number, 9223372036854775808.0, 0);
    arena_release(&arena);
}

static void test_tree(void) {
    struct arena arena = {0};
    const struct json *root =
        parse(&arena, "{\"a\": [1, 2.5, \"x\"], \"b\": {\"c\": null}, \"\": true}");
    T_INT(root->count, 3);
    const struct json *a = json_member(root, "a");
    T_STR(a->key, "a");
    T_INT(a->count, 3);
    T_INT(json_integer_or(a->child, 0), 1);
    T_NEAR(json_number_or(a->child->next, 0), 2.5, 0);
    T_STR(json_text_or(a->child->next->next, ""), "x");
    T_CHECK(a->child->next->next->next == NULL && a->child->key == NULL);
    T_INT(json_member(json_member(root, "b"), "c")->type, JSON_NULL);
    T_CHECK(json_member(root, "")->boolean);
    T_CHECK(!json_member(root, "missing") && !json_member(a, "x") && !json_member(NULL, "x"));
    arena_release(&arena);
}

static void test_fallbacks(void) {
    struct arena arena = {0};
    const struct json *text = parse(&arena, "\"7\""), *number = parse(&arena, "7.5");
    T_INT(json_integer_or(text, -1), -1);
    T_INT(json_integer_or(number, -1), -1);
    T_INT(json_integer_or(NULL, -1), -1);
    T_NEAR(json_number_or(text, -1), -1, 0);
    T_STR(json_text_or(number, "fallback"), "fallback");
    T_STR(json_text_or(NULL, "fallback"), "fallback");
    arena_release(&arena);
}

static void test_strings(void) {
    struct arena arena = {0};
    T_STR(parse(&arena, "\"\"")->string, "");
    T_STR(parse(&arena, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"")->string, "\"\\/\b\f\n\r\t");
    T_STR(parse(&arena, "\"\\u0041\\u00e9\\u20AC\"")->string, "A\xC3\xA9\xE2\x82\xAC");
    T_STR(parse(&arena, "\"\\ud83d\\uDE00\"")->string, "\xF0\x9F\x98\x80");
    T_STR(parse(&arena, "\"\xF0\x9F\x98\x80\x7f\"")->string, "\xF0\x9F\x98\x80\x7f");
    T_STR(json_member(parse(&arena, "{\"\\u0061\":\"z\"}"), "a")->string, "z");
    arena_release(&arena);
}

static const struct {
    const char *text, *message;
} bad_texts[] = {
    {"", "missing value at byte 0"},
    {"  ", "missing value at byte 2"},
    {"nul", "unexpected character at byte 0"},
    {"truex", "something after the value at byte 4"},
    {"{} {}", "something after the value at byte 3"},
    {"1 2", "something after the value at byte 2"},
    {"[1,]", "unexpected character at byte 3"},
    {"[1 2]", "expected ',' or a bracket at byte 3"},
    {"[1}", "expected ',' or a bracket at byte 2"},
    {"[1", "expected ',' or a bracket at byte 2"},
    {"[1,", "missing value at byte 3"},
    {"{\"a\":1", "expected ',' or a bracket at byte 6"},
    {"{\"a\" 1}", "expected ':' at byte 5"},
    {"{a:1}", "expected a string at byte 1"},
    {"{\"a\":1,}", "expected a string at byte 7"},
    {"{1:2}", "expected a string"},
    {"\"abc", "unterminated string"},
    {"\"abc\\\"", "unterminated string"},
    {"\"abc\\", "unterminated string"},
    {"\"\\x\"", "bad escape at byte 2"},
    {"\"\\u12\"", "bad \\u escape"},
    {"\"\\u12g4\"", "bad \\u escape"},
    {"\"\\u0000\"", "\\u0000"},
    {"\"\\ud800\"", "unpaired surrogate"},
    {"\"\\ud800\\n\"", "unpaired surrogate"},
    {"\"\\ud800\\u0041\"", "unpaired surrogate"},
    {"\"\\ud800\\\"u1234\"", "unpaired surrogate"},
    {"\"\\udc00\"", "unpaired surrogate"},
    {"\"a\nb\"", "control character in a string at byte 2"},
    {"\"\xC3(\"", "invalid UTF-8 at byte 1"},
    {"\"\xFF\"", "invalid UTF-8"},
    {"\xEF\xBB\xBF{}", "unexpected character at byte 0"},
    {"01", "bad number"},
    {"-", "bad number"},
    {"-a", "bad number"},
    {"1.", "bad number"},
    {".5", "unexpected character"},
    {"+1", "unexpected character"},
    {"1e", "bad number"},
    {"1e+", "bad number"},
    {"0x10", "something after the value"},
    {"1e999", "number out of range"},
    {"NaN", "unexpected character"},
    {"Infinity", "unexpected character"},
    {"// x\n1", "unexpected character"},
    {"{\"a\":1,\"b\":2,\"a\":3}", "duplicate key \"a\""},
    {"[{\"a\":1,\"\\u0061\":3}]", "duplicate key \"a\""},
};

static void test_bad_texts(void) {
    for (size_t i = 0; i < sizeof bad_texts / sizeof *bad_texts; i++) {
        struct arena arena = {0};
        struct error err = {0};
        const struct json *value = NULL;
        size_t len = strlen(bad_texts[i].text);
        T_INT(parse_bytes(&arena, bad_texts[i].text, len, &value, &err), STATUS_CORRUPT);
        T_CONTAINS(err.message, bad_texts[i].message);
        arena_release(&arena);
    }
}

static void test_nul_bytes(void) {
    static const char *const texts[] = {"\0", "1\0", "\"\0\"", "[\0]", "1.\0"};
    static const size_t lens[] = {1, 2, 3, 3, 3};
    for (int i = 0; i < 5; i++) {
        struct arena arena = {0};
        const struct json *value = NULL;
        T_INT(parse_bytes(&arena, texts[i], lens[i], &value, NULL), STATUS_CORRUPT);
        arena_release(&arena);
    }
}

static enum status parse_nested(int depth) {
    struct arena arena = {0};
    struct str text = STR_INIT;
    const struct json *value = NULL;
    for (int i = 0; i < depth; i++)
        str_add(&text, "[");
    for (int i = 0; i < depth; i++)
        str_add(&text, "]");
    enum status status = json_parse(&arena, str_text(&text), text.len, &value, NULL);
    arena_release(&arena);
    str_release(&text);
    return status;
}

static enum status parse_zeros(int count) {
    struct arena arena = {0};
    struct str text = STR_INIT;
    const struct json *value = NULL;
    str_add(&text, "[0");
    for (int i = 1; i < count; i++)
        str_add(&text, ",0");
    str_add(&text, "]");
    enum status status = json_parse(&arena, str_text(&text), text.len, &value, NULL);
    arena_release(&arena);
    str_release(&text);
    return status;
}

static void test_limits(void) {
    struct arena arena = {0};
    const struct json *value = NULL;
    char number[200];
    T_INT(parse_nested(JSON_MAX_DEPTH), STATUS_OK);
    T_INT(parse_nested(JSON_MAX_DEPTH + 1), STATUS_TOO_LARGE);
    T_INT(parse_nested(1000000), STATUS_TOO_LARGE);
    T_INT(parse_zeros(JSON_MAX_VALUES - 1), STATUS_OK);
    T_INT(parse_zeros(JSON_MAX_VALUES), STATUS_TOO_LARGE);
    memset(number, '1', sizeof number);
    T_INT(json_parse(&arena, number, 128, &value, NULL), STATUS_OK);
    T_INT(json_parse(&arena, number, 129, &value, NULL), STATUS_TOO_LARGE);
    T_INT(json_parse(&arena, "1", (size_t)JSON_MAX_BYTES + 1, &value, NULL), STATUS_TOO_LARGE);
    arena_release(&arena);
}

/* Comparing each key with each would take minutes here. */
static void test_large_objects_are_not_quadratic(void) {
    struct arena arena = {0};
    struct str text = STR_INIT;
    const struct json *value = NULL;
    struct error err = {0};
    str_add(&text, "{");
    for (int i = 0; i < 300000; i++)
        str_addf(&text, "\"%d\":1,", i);
    size_t len = text.len;
    str_add(&text, "\"x\":1}");
    int64_t start = clock_mono_ns();
    T_INT(json_parse(&arena, str_text(&text), text.len, &value, &err), STATUS_OK);
    T_INT(value->count, 300001);
    text.len = len;
    str_add(&text, "\"4711\":1}");
    T_INT(json_parse(&arena, str_text(&text), text.len, &value, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, "duplicate key \"4711\"");
    T_CHECK(clock_mono_ns() - start < 20000000000);
    arena_release(&arena);
    str_release(&text);
}

static void test_what_is_written_reads_back(void) {
    struct arena arena = {0};
    for (uint32_t i = 0; i < 500; i++) {
        struct str text = STR_INIT;
        char source[9] = {0};
        struct rng_block random = rng_philox(4, i, 0, RNG_TEST, 0);
        for (int k = 0; k < 8; k++)
            source[k] = (char)(random.word[k / 4] >> (8 * (k % 4)) & 127);
        str_add_json(&text, source);
        T_STR(parse(&arena, str_text(&text))->string, source);
        str_release(&text);
    }
    arena_release(&arena);
}

/* Damaged texts give a value or an error, and no read outside of the text. */
static void test_damaged_texts(void) {
    static const char text[] =
        "{\"a\\u0041\":[1,-2.5e+3,true,null],\"\xC3\xA9\":{\"\\ud83d\\ude00\":\"x\"}}";
    size_t len = sizeof text - 1;
    for (uint32_t i = 0; i < 20000; i++) {
        struct arena arena = {0};
        const struct json *value = NULL;
        char damaged[sizeof text];
        struct rng_block random = rng_philox(5, i, 0, RNG_TEST, 0);
        memcpy(damaged, text, sizeof text);
        damaged[rng_below(random.word[0], (uint32_t)len)] = (char)random.word[1];
        damaged[rng_below(random.word[2], (uint32_t)len)] = text[random.word[3] % len];
        size_t cut = i % 3 ? len : i % len;
        if (parse_bytes(&arena, damaged, cut, &value, NULL) == STATUS_OK)
            T_CHECK(value != NULL);
        arena_release(&arena);
    }
}

int main(void) {
    T_RUN(test_values);
    T_RUN(test_numbers);
    T_RUN(test_tree);
    T_RUN(test_fallbacks);
    T_RUN(test_strings);
    T_RUN(test_bad_texts);
    T_RUN(test_nul_bytes);
    T_RUN(test_limits);
    T_RUN(test_large_objects_are_not_quadratic);
    T_RUN(test_what_is_written_reads_back);
    T_RUN(test_damaged_texts);
    return t_done();
}
