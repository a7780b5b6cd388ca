/* json_parse: any text; what it accepts is a tree within its limits, of valid strings. */
#include "tests/fuzz/fuzz.h"

#include "engine/base/json.h"
#include "engine/base/utf8.h"

#include <math.h>
#include <string.h>

static void check_string(const char *text) {
    CHECK(!text || utf8_is_valid(text, strlen(text)));
}

static size_t check_tree(const struct json *value, int depth) {
    size_t values = 1, members = 0;
    CHECK(depth <= JSON_MAX_DEPTH && value->type <= JSON_OBJECT);
    CHECK(value->type != JSON_NUMBER || isfinite(value->number));
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
