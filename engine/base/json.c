#include "engine/base/json.h"

#include "engine/base/str.h"
#include "engine/base/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX_BYTES = 128, SMALL_OBJECT = 8 };

struct parser {
    struct arena *arena;
    const char *text;
    size_t len, at;
    int depth;
    size_t n_values;
    struct error *err;
};

static enum status parse_value(struct parser *parser, struct json *value);

static enum status corrupt(struct parser *parser, const char *what) {
    return error_set(parser->err, STATUS_CORRUPT, "json: %s at byte %zu", what, parser->at);
}

static enum status too_large(struct parser *parser, const char *what, int limit) {
    return error_set(parser->err, STATUS_TOO_LARGE, "json: more than %d %s at byte %zu", limit,
                     what, parser->at);
}

/* The next byte, or 0 at the end; a NUL in the text is valid nowhere, so both mean an error. */
static char peek(const struct parser *parser) {
    if (parser->at >= parser->len)
        return '\0';
    return parser->text[parser->at];
}

static void skip_space(struct parser *parser) {
    while (peek(parser) == ' ' || peek(parser) == '\t' || peek(parser) == '\n' ||
           peek(parser) == '\r')
        parser->at++;
}

static bool skip_byte(struct parser *parser, char byte) {
    if (peek(parser) != byte)
        return false;
    parser->at++;
    return true;
}

static enum status parse_word(struct parser *parser, const char *word) {
    size_t len = strlen(word);
    if (parser->len - parser->at < len || memcmp(parser->text + parser->at, word, len) != 0)
        return corrupt(parser, "unexpected character");
    parser->at += len;
    return STATUS_OK;
}

static size_t skip_digits(struct parser *parser) {
    size_t start = parser->at;
    while (peek(parser) >= '0' && peek(parser) <= '9')
        parser->at++;
    return parser->at - start;
}

/* Moves behind a number; *is_integer is false if it has a fraction or an exponent. */
static enum status skip_number(struct parser *parser, bool *is_integer) {
    *is_integer = true;
    bool negative = skip_byte(parser, '-');
    if (!negative && (peek(parser) < '0' || peek(parser) > '9'))
        return corrupt(parser, parser->at < parser->len ? "unexpected character" : "missing value");
    bool zero = peek(parser) == '0';
    size_t digits = skip_digits(parser);
    if (digits == 0 || (zero && digits > 1))
        return corrupt(parser, "bad number");
    if (skip_byte(parser, '.')) {
        *is_integer = false;
        if (skip_digits(parser) == 0)
            return corrupt(parser, "bad number");
    }
    if (skip_byte(parser, 'e') || skip_byte(parser, 'E')) {
        *is_integer = false;
        if (!skip_byte(parser, '-'))
            skip_byte(parser, '+');
        if (skip_digits(parser) == 0)
            return corrupt(parser, "bad number");
    }
    return STATUS_OK;
}

static enum status parse_number(struct parser *parser, struct json *value) {
    size_t start = parser->at;
    bool is_integer;
    enum status status = skip_number(parser, &is_integer);
    if (status)
        return status;
    char digits[NUMBER_MAX_BYTES + 1]; /* a copy, because the text is not NUL-terminated */
    size_t len = parser->at - start;
    if (len > NUMBER_MAX_BYTES)
        return too_large(parser, "characters in a number", NUMBER_MAX_BYTES);
    memcpy(digits, parser->text + start, len);
    digits[len] = '\0';
    if (!str_parse_double(digits, &value->number))
        return corrupt(parser, "number out of range");
    value->type = JSON_NUMBER;
    value->is_integer = is_integer && str_parse_i64(digits, &value->integer);
    return STATUS_OK;
}

/* Four hex digits, or -1. */
static int32_t parse_hex4(struct parser *parser) {
    int32_t code = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        char c = peek(parser);
        const char *found = c ? strchr(digits, c) : NULL;
        if (!found)
            return -1;
        code = code << 4 | (int32_t)((found - digits) % 16);
        parser->at++;
    }
    return code;
}

/* What follows "\u": one unit, or two that make a character outside the first 65536. */
static enum status parse_unicode(struct parser *parser, char **out) {
    int32_t code = parse_hex4(parser);
    if (code >= 0xD800 && code <= 0xDBFF) {
        int32_t low = skip_byte(parser, '\\') && skip_byte(parser, 'u') ? parse_hex4(parser) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return corrupt(parser, "unpaired surrogate");
        code = 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00));
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
        return corrupt(parser, "unpaired surrogate");
    }
    if (code < 0)
        return corrupt(parser, "bad \\u escape");
    if (code == 0)
        return corrupt(parser, "\\u0000");
    *out += utf8_encode((uint32_t)code, *out);
    return STATUS_OK;
}

static enum status parse_escape(struct parser *parser, char **out) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char c = peek(parser);
    const char *found = c ? strchr(letters, c) : NULL;
    if (!found && c != 'u')
        return corrupt(parser, "bad escape");
    parser->at++;
    if (c == 'u')
        return parse_unicode(parser, out);
    *(*out)++ = meanings[found - letters];
    return STATUS_OK;
}

/* The position of the quote that ends the string, or len. */
static size_t find_quote(const struct parser *parser) {
    size_t at = parser->at;
    while (at < parser->len && parser->text[at] != '"')
        at += parser->text[at] == '\\' ? 2 : 1;
    return at < parser->len ? at : parser->len;
}

/* Decoded text is never longer than the source: the shortest escape of n bytes has n or more. */
static enum status parse_string(struct parser *parser, const char **string) {
    if (!skip_byte(parser, '"'))
        return corrupt(parser, "expected a string");
    size_t end = find_quote(parser);
    if (end == parser->len)
        return corrupt(parser, "unterminated string");
    char *out = arena_alloc(parser->arena, end - parser->at + 1);
    *string = out;
    while (parser->at < end) {
        const char *from = parser->text + parser->at;
        size_t n = utf8_char_bytes(from, end - parser->at);
        if (n == 0)
            return corrupt(parser, "invalid UTF-8");
        if ((unsigned char)*from < 0x20)
            return corrupt(parser, "control character in a string");
        if (skip_byte(parser, '\\')) {
            enum status status = parse_escape(parser, &out);
            if (status)
                return status;
            continue;
        }
        memcpy(out, from, n);
        out += n;
        parser->at += n;
    }
    parser->at = end + 1;
    return STATUS_OK;
}

static int compare_keys(const void *a, const void *b) {
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

/* A key that occurs twice, or NULL. Sorting keeps an object of many members from costing the
 * square of their number. */
static const char *find_duplicate(const struct json *object) {
    if (object->count < 2)
        return NULL;
    const char *few[SMALL_OBJECT];
    const char **keys = few;
    if (object->count > SMALL_OBJECT)
        keys = xmalloc(object->count * sizeof *keys);
    size_t n = 0;
    for (const struct json *member = object->child; member; member = member->next)
        keys[n++] = member->key;
    qsort(keys, n, sizeof *keys, compare_keys);
    const char *found = NULL;
    for (size_t i = 1; i < n && !found; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0)
            found = keys[i];
    if (keys != few)
        free(keys);
    return found;
}

static enum status parse_key(struct parser *parser, const char **key) {
    enum status status = parse_string(parser, key);
    if (status)
        return status;
    skip_space(parser);
    return skip_byte(parser, ':') ? STATUS_OK : corrupt(parser, "expected ':'");
}

/* The members or elements between an opening and a closing bracket. */
static enum status parse_children(struct parser *parser, struct json *parent, char close) {
    struct json **link = &parent->child;
    parser->at++;
    skip_space(parser);
    if (skip_byte(parser, close))
        return STATUS_OK;
    do {
        struct json *child = arena_alloc(parser->arena, sizeof *child);
        enum status status = STATUS_OK;
        skip_space(parser);
        if (parent->type == JSON_OBJECT)
            status = parse_key(parser, &child->key);
        if (!status)
            status = parse_value(parser, child);
        if (status)
            return status;
        *link = child;
        link = &child->next;
        parent->count++;
        skip_space(parser);
    } while (skip_byte(parser, ','));
    return skip_byte(parser, close) ? STATUS_OK : corrupt(parser, "expected ',' or a bracket");
}

static enum status parse_container(struct parser *parser, struct json *value, char close) {
    value->type = close == '}' ? JSON_OBJECT : JSON_ARRAY;
    if (parser->depth == JSON_MAX_DEPTH)
        return too_large(parser, "levels", JSON_MAX_DEPTH);
    parser->depth++;
    enum status status = parse_children(parser, value, close);
    parser->depth--;
    if (status || value->type == JSON_ARRAY)
        return status;
    const char *duplicate = find_duplicate(value);
    if (duplicate)
        return error_set(parser->err, STATUS_CORRUPT,
                         "json: duplicate key \"%s\" in the object that ends at byte %zu",
                         duplicate, parser->at);
    return STATUS_OK;
}

static enum status parse_value(struct parser *parser, struct json *value) {
    if (++parser->n_values > JSON_MAX_VALUES)
        return too_large(parser, "values", JSON_MAX_VALUES);
    skip_space(parser);
    switch (peek(parser)) {
    case '{':
        return parse_container(parser, value, '}');
    case '[':
        return parse_container(parser, value, ']');
    case '"':
        value->type = JSON_STRING;
        return parse_string(parser, &value->string);
    case 't':
        value->type = JSON_BOOL;
        value->boolean = true;
        return parse_word(parser, "true");
    case 'f':
        value->type = JSON_BOOL;
        return parse_word(parser, "false");
    case 'n':
        return parse_word(parser, "null");
    default:
        return parse_number(parser, value);
    }
}

enum status json_parse(struct arena *arena, const char *text, size_t len, const struct json **out,
                       struct error *err) {
    struct parser parser = {.arena = arena, .text = text, .len = len, .err = err};
    if (len > JSON_MAX_BYTES)
        return too_large(&parser, "bytes", JSON_MAX_BYTES);
    struct json *root = arena_alloc(arena, sizeof *root);
    enum status status = parse_value(&parser, root);
    if (status)
        return status;
    skip_space(&parser);
    if (parser.at != len)
        return corrupt(&parser, "something after the value");
    *out = root;
    return STATUS_OK;
}

const struct json *json_member(const struct json *object, const char *key) {
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *member = object->child; member; member = member->next)
        if (strcmp(member->key, key) == 0)
            return member;
    return NULL;
}

const char *json_text_or(const struct json *value, const char *fallback) {
    return value && value->type == JSON_STRING ? value->string : fallback;
}

int64_t json_integer_or(const struct json *value, int64_t fallback) {
    return value && value->type == JSON_NUMBER && value->is_integer ? value->integer : fallback;
}

double json_number_or(const struct json *value, double fallback) {
    return value && value->type == JSON_NUMBER ? value->number : fallback;
}
