#include "engine/base/str.h"

#include "engine/base/mem.h"
#include "engine/base/utf8.h"

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_MAX_BYTES = 64 << 20, NUMBER_BYTES = 64, DISTANCE_MAX = 64, DISTANCE_FAR = 1 << 20 };

/* Room for len more bytes and the NUL; less when the limit says so. After the first byte that
 * did not fit nothing is added, so that the text always is a prefix of what was meant. */
static size_t reserve(struct str *str, size_t len) {
    size_t max = str->max ? str->max : DEFAULT_MAX_BYTES;
    size_t room = str->clipped || str->len >= max ? 0 : max - str->len;
    if (len > room) {
        str->clipped = true;
        len = room;
    }
    size_t need = str->len + len + 1;
    if (need > str->capacity) {
        size_t capacity = str->capacity ? str->capacity : 64;
        while (capacity < need)
            capacity *= 2;
        str->data = xrealloc(str->data, capacity, 1);
        str->capacity = capacity;
    }
    return len;
}

void str_add(struct str *str, const char *text) {
    str_add_bytes(str, text, strlen(text));
}

void str_add_bytes(struct str *str, const void *bytes, size_t len) {
    len = reserve(str, len);
    if (len)
        memcpy(str->data + str->len, bytes, len);
    str->len += len;
    str->data[str->len] = '\0';
}

void str_addf(struct str *str, const char *format, ...) {
    va_list args;
    va_start(args, format);
    str_vaddf(str, format, args);
    va_end(args);
}

void str_vaddf(struct str *str, const char *format, va_list args) {
    char small[256];
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(small, sizeof small, format, args);
    CHECK(len >= 0);
    if ((size_t)len < sizeof small) {
        str_add_bytes(str, small, (size_t)len);
    } else {
        char *large = xmalloc((size_t)len + 1);
        vsnprintf(large, (size_t)len + 1, format, again);
        str_add_bytes(str, large, (size_t)len);
        free(large);
    }
    va_end(again);
}

/* One character that may not stand in a JSON string as it is. */
static void add_escape(struct str *str, unsigned char c) {
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = strchr(plain, c);
    if (found && c)
        str_addf(str, "\\%c", letters[found - plain]);
    else
        str_addf(str, "\\u%04x", c);
}

void str_add_json(struct str *str, const char *text) {
    size_t left = strlen(text);
    str_add_bytes(str, "\"", 1);
    while (left) {
        unsigned char c = (unsigned char)*text;
        size_t n = utf8_char_bytes(text, left);
        if (n == 0)
            str_add(str, "\\ufffd");
        else if (c < 0x20 || c == '"' || c == '\\')
            add_escape(str, c);
        else
            str_add_bytes(str, text, n);
        text += n ? n : 1;
        left -= n ? n : 1;
    }
    str_add_bytes(str, "\"", 1);
}

struct str *str_json_item(struct str *str) {
    char last = str->len ? str->data[str->len - 1] : '{';
    if (last != '{' && last != '[')
        str_add_bytes(str, ",", 1);
    return str;
}

struct str *str_json_key(struct str *str, const char *key) {
    str_addf(str_json_item(str), "\"%s\":", key);
    return str;
}

/* How numbers of a width are written. A decimal of up to digits digits survives the way through
 * them, so with so many the fewest that read back come out, without the zeros that %g cuts off;
 * numbers below least have less precision. */
struct number_form {
    double plain_below; /* whole numbers below are written out: 100000 is kinder than 1e+05 */
    double least;
    int digits;
    bool (*reads_back)(const char *text, double value);
};

static bool reads_back_double(const char *text, double value) {
    return strtod(text, NULL) == value;
}

static bool reads_back_float(const char *text, double value) {
    return strtof(text, NULL) == (float)value;
}

static const struct number_form of_double = {1e15, DBL_MIN, DBL_DIG, reads_back_double};
static const struct number_form of_float = {1e9, FLT_MIN, FLT_DIG, reads_back_float};

/* The fewest digits that read back, in the C locale whatever the process uses. */
static void add_shortest(struct str *str, double value, const struct number_form *form) {
    if (!isfinite(value)) {
        str_add(str, "null");
        return;
    }
    char text[NUMBER_BYTES];
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    CHECK(c_locale);
    locale_t before = uselocale(c_locale);
    int digits = fabs(value) < form->least ? 1 : form->digits;
    if (fabs(value) < form->plain_below && value == trunc(value))
        snprintf(text, sizeof text, "%.0f", value);
    else
        do
            snprintf(text, sizeof text, "%.*g", digits, value);
        while (!form->reads_back(text, value) && digits++ < 17);
    uselocale(before);
    freelocale(c_locale);
    str_add(str, text);
}

void str_add_double(struct str *str, double value) {
    add_shortest(str, value, &of_double);
}

void str_add_float(struct str *str, float value) {
    add_shortest(str, (double)value, &of_float);
}

const char *str_text(const struct str *str) {
    return str->data ? str->data : "";
}

void str_clear(struct str *str) {
    str->len = 0;
    str->clipped = false;
    if (str->data)
        str->data[0] = '\0';
}

char *str_take(struct str *str) {
    char *data = str->data ? str->data : xstrdup("");
    *str = (struct str){.max = str->max};
    return data;
}

void str_release(struct str *str) {
    free(str->data);
    *str = (struct str){.max = str->max};
}

bool str_equal(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_has_prefix(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_has_suffix(const char *text, const char *suffix) {
    size_t len = strlen(text), suffix_len = strlen(suffix);
    return len >= suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

int str_index(const char *const *words, const char *word) {
    for (int i = 0; words[i]; i++)
        if (str_equal(words[i], word))
            return i;
    return -1;
}

bool str_copy(char *out, size_t out_bytes, const char *text) {
    if (out_bytes == 0)
        return false;
    size_t len = strnlen(text, out_bytes);
    bool fits = len < out_bytes;
    if (!fits)
        len = out_bytes - 1;
    memcpy(out, text, len);
    out[len] = '\0';
    return fits;
}

static size_t count_digits(const char *text) {
    size_t n = 0;
    while (text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

bool str_parse_u64(const char *text, uint64_t *value) {
    if (!text || !*text || text[count_digits(text)] != '\0')
        return false;
    uint64_t sum = 0;
    for (; *text; text++)
        if (__builtin_mul_overflow(sum, 10u, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(*text - '0'), &sum))
            return false;
    *value = sum;
    return true;
}

bool str_parse_i64(const char *text, int64_t *value) {
    bool negative = text && *text == '-';
    uint64_t magnitude;
    if (!str_parse_u64(negative ? text + 1 : text, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

/* Digits, optionally a fraction and an exponent. strtod alone would also take "inf", "0x1p3" and
 * leading white space. */
static bool is_decimal(const char *text) {
    if (*text == '-')
        text++;
    size_t n = count_digits(text);
    if (n == 0)
        return false;
    text += n;
    if (*text == '.') {
        n = count_digits(++text);
        if (n == 0)
            return false;
        text += n;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '-' || *text == '+')
            text++;
        n = count_digits(text);
        if (n == 0)
            return false;
        text += n;
    }
    return *text == '\0';
}

bool str_parse_double(const char *text, double *value) {
    if (!text || !is_decimal(text))
        return false;
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    CHECK(c_locale);
    double parsed = strtod_l(text, NULL, c_locale);
    freelocale(c_locale);
    if (!isfinite(parsed))
        return false;
    *value = parsed;
    return true;
}

void str_add_base64(struct str *str, const void *bytes, size_t len) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = bytes;
    for (size_t i = 0; i < len; i += 3) {
        size_t count = len - i < 3 ? len - i : 3;
        uint32_t bits = (uint32_t)from[i] << 16;
        bits |= count > 1 ? (uint32_t)from[i + 1] << 8 : 0;
        bits |= count > 2 ? from[i + 2] : 0;
        char four[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63], alphabet[bits >> 6 & 63],
                        alphabet[bits & 63]};
        memset(four + count + 1, '=', 3 - count);
        str_add_bytes(str, four, sizeof four);
    }
}

static int least(int a, int b, int c) {
    int m = a < b ? a : b;
    return m < c ? m : c;
}

int str_distance(const char *a, const char *b) {
    size_t a_len = strnlen(a, DISTANCE_MAX + 1), b_len = strnlen(b, DISTANCE_MAX + 1);
    if (a_len > DISTANCE_MAX || b_len > DISTANCE_MAX)
        return DISTANCE_FAR;
    int row[DISTANCE_MAX + 1]; /* distances of a's first i characters to each prefix of b */
    for (size_t j = 0; j <= b_len; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a_len; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_len; j++) {
            int above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

void str_nearer(const char **best, const char *name, const char *candidate) {
    int limit = *best ? str_distance(name, *best) : (int)strlen(name) / 3 + 2;
    if (str_distance(name, candidate) < limit)
        *best = candidate;
}
