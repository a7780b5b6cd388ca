/* json_parse: any text; what it accepts is a tree within its limits, of valid strings, which read
 * back the same when they are written. */
#include "tests/fuzz/fuzz.h"

#include "engine/base/json.h"
#include "engine/base/str.h"
#include "engine/base/utf8.h"

#include <math.h>
#include <string.h>

static void check_string(const char *text) {
    struct str written = STR_INIT;
    struct arena arena = {0};
    const struct json *read;
    if (!text)
        return;
    CHECK(utf8_is_valid(text, strlen(text)));
    str_add_json(&written, text);
    CHECK(json_parse(&arena, str_text(&written), written.len, &read, NULL) == STATUS_OK);
    CHECK(str_equal(json_text_or(read, NULL), text));
    arena_release(&arena);
    str_release(&written);
}

/* A value has what its type says, and the fallback stands for everything else. */
static void check_value(const struct json *value) {
    bool is_number = value->type == JSON_NUMBER, is_string = value->type == JSON_STRING;
    bool is_integer = is_number && value->is_integer;
    CHECK((json_text_or(value, NULL) != NULL) == is_string);
    CHECK(isfinite(json_number_or(value, NAN)) == is_number);
    CHECK((json_integer_or(value, -1) == json_integer_or(value, 1)) == is_integer);
    CHECK(!is_integer || (double)value->integer == value->number);
    CHECK(value->type == JSON_OBJECT || !json_member(value, ""));
}

static size_t check_tree(const struct json *value, int depth) {
    size_t values = 1, members = 0;
    CHECK(depth <= JSON_MAX_DEPTH && value->type <= JSON_OBJECT);
    check_value(value);
    check_string(value->string);
    check_string(value->key);
    for (const struct json *child = value->child; child; child = child->next, members++) {
        values += check_tree(child, depth + 1);
        if (value->type == JSON_OBJECT)
            CHECK(json_member(value, child->key) == child);
    }
    CHECK(members == value->count);
    return values;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct arena arena = {0};
    const struct json *tree;
    struct error err = {0};
    if (json_parse(&arena, (const char *)bytes, len, &tree, &err) == STATUS_OK)
        CHECK(check_tree(tree, 0) <= JSON_MAX_VALUES);
    else
        CHECK(err.message[0]);
    arena_release(&arena);
    return 0;
}
