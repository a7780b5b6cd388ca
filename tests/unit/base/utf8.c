#include "engine/base/utf8.h"

#include "tests/support/t.h"

static void test_valid_characters(void) {
    T_INT(utf8_char_bytes("a", 1), 1);
    T_INT(utf8_char_bytes("\xC3\xA9", 2), 2);
    T_INT(utf8_char_bytes("\xE2\x82\xAC", 3), 3);
    T_INT(utf8_char_bytes("\xF0\x9F\x98\x80", 4), 4);
    T_INT(utf8_char_bytes("\xEF\xBF\xBF", 3), 3);
    T_INT(utf8_char_bytes("\xF4\x8F\xBF\xBF", 4), 4);
    T_INT(utf8_char_bytes("\0", 1), 1);
    T_INT(utf8_char_bytes("", 0), 0);
}

static void test_invalid_characters(void) {
    static const char *const bad[] = {
        "\x80",             /* continuation alone */
        "\xC0\x80",         /* overlong NUL */
        "\xC1\xBF",         /* overlong */
        "\xE0\x9F\xBF",     /* overlong */
        "\xF0\x8F\xBF\xBF", /* overlong */
        "\xED\xA0\x80",     /* surrogate */
        "\xED\xBF\xBF",     /* surrogate */
        "\xF4\x90\x80\x80", /* over U+10FFFF */
        "\xF5\x80\x80\x80",
        "\xFF",
        "\xC3",
        "\xE2\x82",
        "\xE2\x28\xA1",
        "\xF0\x9F\x98",
        "\xC3(",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (utf8_char_bytes(bad[i], strlen(bad[i])) != 0)
            T_FAIL("case %zu was taken for valid", i);
}

static void test_texts(void) {
    T_CHECK(utf8_is_valid("", 0));
    T_CHECK(utf8_is_valid("a\xC3\xA9z", 4));
    T_CHECK(!utf8_is_valid("a\xC3\xA9z\xC3", 5));
    T_CHECK(utf8_is_valid("a\xC3", 1));
}

static void test_copies(void) {
    static const struct {
        const char *text, *copy;
    } cases[] = {{"", ""},
                 {"name", "name"},
                 {"1234567", "1234567"},
                 {"12345678", "1234567"},
                 {"12345\xC3\xA9", "12345\xC3\xA9"},
                 {"123456\xC3\xA9", "123456"},
                 {"1234\xF0\x9F\x98\x80", "1234"},
                 {"a\xFF\xC3z\xE2\x82", "a??z??"},
                 {"123456\xFF\xFF", "123456?"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[8];
        utf8_copy(out, sizeof out, cases[i].text);
        T_STR(out, cases[i].copy);
    }
}

static void test_every_code_point_round_trips(void) {
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char out[UTF8_MAX_BYTES];
        size_t n = utf8_encode(code, out);
        bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        if (utf8_char_bytes(out, n) != (surrogate ? 0 : n))
            T_FAIL("U+%04X", code);
    }
    char out[UTF8_MAX_BYTES];
    T_CHECK(utf8_encode(0x20AC, out) == 3 && memcmp(out, "\xE2\x82\xAC", 3) == 0);
    T_CHECK(utf8_encode(0x1F600, out) == 4 && memcmp(out, "\xF0\x9F\x98\x80", 4) == 0);
}

int main(void) {
    T_RUN(test_valid_characters);
    T_RUN(test_invalid_characters);
    T_RUN(test_texts);
    T_RUN(test_copies);
    T_RUN(test_every_code_point_round_trips);
    return t_done();
}
