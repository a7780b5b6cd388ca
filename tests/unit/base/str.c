#include "engine/base/str.h"

#include "engine/base/rng.h"
#include "tests/support/t.h"

#include <limits.h>
#include <locale.h>

static void test_appending(void) {
    struct str str = STR_INIT;
    T_STR(str_text(&str), "");
    str_add(&str, "");
    T_STR(str_text(&str), "");
    str_add(&str, "one");
    str_add_bytes(&str, " two!", 4);
    str_addf(&str, " %d", 3);
    T_STR(str_text(&str), "one two 3");
    T_INT(str.len, 9);
    str_clear(&str);
    T_STR(str_text(&str), "");
    str_addf(&str, "%0500d", 7);
    T_INT(str.len, 500);
    T_INT(str.data[499], '7');
    str_release(&str);
    T_STR(str_text(&str), "");
    str_add(&str, "again");
    T_STR(str_text(&str), "again");
    str_release(&str);
}

static void test_take(void) {
    struct str str = STR_INIT;
    char *empty = str_take(&str);
    T_STR(empty, "");
    str_add(&str, "x");
    char *text = str_take(&str);
    T_STR(text, "x");
    T_INT(str.len, 0);
    free(empty);
    free(text);
}

static void test_limit_keeps_a_prefix(void) {
    struct str str = {.max = 10};
    str_add(&str, "0123456789");
    T_CHECK(!str.clipped);
    str_clear(&str);
    str_add(&str, "01234567");
    str_add(&str, "89abc");
    T_CHECK(str.clipped);
    T_STR(str_text(&str), "0123456789");
    str_clear(&str);
    T_CHECK(!str.clipped);
    str_add(&str, "a much longer text");
    str_add(&str, "");
    T_STR(str_text(&str), "a much lon");
    str_release(&str);
    T_INT(str.max, 10);
}

static const char *as_json(const char *text) {
    static char out[256];
    struct str str = STR_INIT;
    str_add_json(&str, text);
    str_copy(out, sizeof out, str_text(&str));
    str_release(&str);
    return out;
}

static void test_json_strings(void) {
    T_STR(as_json(""), "\"\"");
    T_STR(as_json("a \"b\" \\ /"), "\"a \\\"b\\\" \\\\ /\"");
    T_STR(as_json("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    T_STR(as_json("\x01\x1f\x7f"), "\"\\u0001\\u001f\x7f\"");
    T_STR(as_json("\xC3\xA9\xF0\x9F\x98\x80"), "\"\xC3\xA9\xF0\x9F\x98\x80\"");
    T_STR(as_json("a\xFFz\xC3"), "\"a\\ufffdz\\ufffd\"");
    T_STR(as_json("\xED\xA0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
}

static const char *as_double(double value) {
    static char out[64];
    struct str str = STR_INIT;
    str_add_double(&str, value);
    str_copy(out, sizeof out, str_text(&str));
    str_release(&str);
    return out;
}

static const char *as_float(float value) {
    static char out[64];
    struct str str = STR_INIT;
    str_add_float(&str, value);
    str_copy(out, sizeof out, str_text(&str));
    str_release(&str);
    return out;
}

static void test_json_items(void) {
    struct str str = STR_INIT;
    str_add(&str, "{");
    str_add(str_json_key(&str, "a"), "[");
    for (int i = 0; i < 3; i++)
        str_addf(str_json_item(&str), "%d", i);
    str_add(&str, "]");
    str_add_json(str_json_key(&str, "b"), "[");
    str_add(str_json_key(&str, "c"), "{");
    str_add(&str, "}}");
    T_STR(str_text(&str), "{\"a\":[0,1,2],\"b\":\"[\",\"c\":{}}");
    str_clear(&str);
    str_add(str_json_item(&str), "1");
    str_add(str_json_item(&str), "2");
    T_STR(str_text(&str), "1,2");
    str_release(&str);
}

static void test_shortest_numbers(void) {
    T_STR(as_double(0), "0");
    T_STR(as_double(0.1), "0.1");
    T_STR(as_double(0.1 + 0.2), "0.30000000000000004");
    T_STR(as_double(100000), "100000");
    T_STR(as_double(-123456789012), "-123456789012");
    T_STR(as_double(1e300), "1e+300");
    T_STR(as_double(5e-324), "5e-324");
    T_STR(as_double(1.7976931348623157e308), "1.7976931348623157e+308");
    T_STR(as_double((double)5e-4f), "0.0005000000237487257");
    T_STR(as_double(NAN), "null");
    T_STR(as_double(-INFINITY), "null");
    T_STR(as_float(5e-4f), "0.0005");
    T_STR(as_float(0.1f), "0.1");
    T_STR(as_float(16777216.0f), "16777216");
    T_STR(as_float(3e10f), "3e+10");
    T_STR(as_float(3.4028235e38f), "3.4028235e+38");
    T_STR(as_float(1e-45f), "1e-45");
    T_STR(as_float(INFINITY), "null");
}

/* Found the slow way, by trying one digit more each time. */
static bool has_fewest_digits(const char *text, double value) {
    char tried[64];
    int digits = 0;
    do
        snprintf(tried, sizeof tried, "%.*g", ++digits, value);
    while (strtod(tried, NULL) != value);
    return value == trunc(value) || str_equal(text, tried);
}

/* Decimals of 1 to 17 digits. */
static void test_numbers_are_short(void) {
    for (uint32_t i = 0; i < 5000; i++) {
        struct rng_block random = rng_philox(4, i, 0, RNG_TEST, 0);
        char text[64];
        double value = (double)random.word[0] / (1.0 + (double)random.word[1]);
        snprintf(text, sizeof text, "%.*g", 1 + (int)(random.word[2] % 17), value);
        value = strtod(text, NULL);
        if (!has_fewest_digits(as_double(value), value))
            T_FAIL("%a is written as %s", value, as_double(value));
    }
}

/* Random bit patterns, subnormals and all. */
static void test_numbers_read_back(void) {
    for (uint32_t i = 0; i < 5000; i++) {
        struct rng_block random = rng_philox(3, i, 0, RNG_TEST, 0);
        double d, parsed;
        float f;
        memcpy(&d, random.word, sizeof d);
        memcpy(&f, random.word + 2, sizeof f);
        if (isfinite(d) && (!str_parse_double(as_double(d), &parsed) || parsed != d))
            T_FAIL("%a does not read back", d);
        if (isfinite(d) && !has_fewest_digits(as_double(d), d))
            T_FAIL("%a is written as %s", d, as_double(d));
        if (isfinite(f) && (!str_parse_double(as_float(f), &parsed) || (float)parsed != f))
            T_FAIL("%a does not read back", (double)f);
    }
}

static void test_comparing(void) {
    T_CHECK(str_equal(NULL, NULL) && str_equal("a", "a"));
    T_CHECK(!str_equal("a", NULL) && !str_equal(NULL, "a") && !str_equal("a", "b"));
    T_CHECK(str_has_prefix("abc", "ab") && str_has_prefix("abc", ""));
    T_CHECK(!str_has_prefix("ab", "abc"));
    T_CHECK(str_has_suffix("abc", "bc") && str_has_suffix("abc", ""));
    T_CHECK(!str_has_suffix("bc", "abc") && !str_has_suffix("abc", "ab"));
}

static void test_finding_words(void) {
    static const char *const words[] = {"one", "two", NULL};
    T_INT(str_index(words, "one"), 0);
    T_INT(str_index(words, "two"), 1);
    T_INT(str_index(words, "on"), -1);
    T_INT(str_index(words, ""), -1);
}

static void test_copying(void) {
    char out[4] = "zzz";
    T_CHECK(str_copy(out, sizeof out, "abc"));
    T_STR(out, "abc");
    T_CHECK(!str_copy(out, sizeof out, "defg"));
    T_STR(out, "def");
    T_CHECK(!str_copy(out, 1, "x"));
    T_STR(out, "");
    T_CHECK(!str_copy(out, 0, ""));
}

static void test_parsing_integers(void) {
    int64_t i = 5;
    uint64_t u = 5;
    T_CHECK(str_parse_i64("-9223372036854775808", &i) && i == INT64_MIN);
    T_CHECK(str_parse_i64("9223372036854775807", &i) && i == INT64_MAX);
    T_CHECK(str_parse_i64("-0", &i) && i == 0);
    T_CHECK(str_parse_u64("18446744073709551615", &u) && u == UINT64_MAX);
    i = 5;
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x10",
                                      "1e3",
                                      "--1",
                                      "abc",
                                      "1a",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        if (str_parse_i64(bad[k], &i) || i != 5)
            T_FAIL("\"%s\" was taken for an integer", bad[k]);
    T_CHECK(!str_parse_u64("18446744073709551616", &u) && !str_parse_u64("-1", &u));
    T_CHECK(!str_parse_i64(NULL, &i) && !str_parse_u64(NULL, &u));
}

static void test_parsing_doubles(void) {
    double d = 5;
    T_CHECK(str_parse_double("-1.5e-3", &d) && d == -1.5e-3);
    T_CHECK(str_parse_double("2E+2", &d) && d == 200);
    T_CHECK(str_parse_double("1e-999", &d) && d == 0);
    d = 5;
    static const char *const bad[] = {"",      "-",    ".5",  "5.",  "1,5", "inf", "nan",
                                      "0x1p3", " 1",   "1 ",  "1e",  "1e+", "+1",  "1e999",
                                      "-",     "1.e5", "1_0", "--1", "1.5f"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        if (str_parse_double(bad[k], &d) || d != 5)
            T_FAIL("\"%s\" was taken for a number", bad[k]);
    T_CHECK(!str_parse_double(NULL, &d));
}

/* With a decimal comma, where such a locale is installed. */
static void test_other_locales(void) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++)
        found = setlocale(LC_ALL, names[i]) != NULL;
    double d;
    T_STR(as_double(1.5), "1.5");
    T_CHECK(str_parse_double("1.5", &d) && d == 1.5);
    T_CHECK(!str_parse_double("1,5", &d));
    setlocale(LC_ALL, "C");
}

static void test_distance(void) {
    char longest[65], longer[66];
    memset(longest, 'a', 64);
    memset(longer, 'a', 65);
    longest[64] = longer[65] = '\0';
    T_INT(str_distance("", ""), 0);
    T_INT(str_distance("kitten", "sitting"), 3);
    T_INT(str_distance("epochs", "epoch"), 1);
    T_INT(str_distance("abc", ""), 3);
    T_INT(str_distance("", "abc"), 3);
    T_INT(str_distance("ab", "ba"), 2);
    T_INT(str_distance(longest, ""), 64);
    T_CHECK(str_distance(longer, "a") > 1000);
    T_CHECK(str_distance("a", longer) > 1000);
}

static void test_nearer(void) {
    const char *best = NULL;
    str_nearer(&best, "resnet9", "vgg8");
    T_CHECK(best == NULL);
    str_nearer(&best, "resnet9", "resnet14");
    T_STR(best, "resnet14");
    str_nearer(&best, "resnet9", "resnet8");
    str_nearer(&best, "resnet9", "resnet56");
    T_STR(best, "resnet8");
}

/* The examples of RFC 4648, and bytes that use its last two digits. */
static void test_base64(void) {
    static const char *const expected[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                           "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t len = 0; len <= 6; len++) {
        struct str text = STR_INIT;
        str_add_base64(&text, "foobar", len);
        T_STR(str_text(&text), expected[len]);
        str_release(&text);
    }
    struct str text = STR_INIT;
    str_add_base64(&text, "\xfb\xef\xff", 3);
    T_STR(str_text(&text), "++//");
    str_release(&text);
}

int main(void) {
    T_RUN(test_appending);
    T_RUN(test_take);
    T_RUN(test_limit_keeps_a_prefix);
    T_RUN(test_json_strings);
    T_RUN(test_json_items);
    T_RUN(test_shortest_numbers);
    T_RUN(test_numbers_are_short);
    T_RUN(test_numbers_read_back);
    T_RUN(test_comparing);
    T_RUN(test_finding_words);
    T_RUN(test_copying);
    T_RUN(test_parsing_integers);
    T_RUN(test_parsing_doubles);
    T_RUN(test_other_locales);
    T_RUN(test_distance);
    T_RUN(test_nearer);
    T_RUN(test_base64);
    return t_done();
}
