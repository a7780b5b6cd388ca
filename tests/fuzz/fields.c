/* fields_parse_args: arguments a line each; a spec it accepts prints as JSON that can be read. */
#include "tests/fuzz/fuzz.h"

#include "engine/base/json.h"
#include "engine/spec/train_spec.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_ARGUMENTS = 64 };

static void check_json(const struct train_spec *spec) {
    struct str text = STR_INIT;
    struct arena arena = {0};
    const struct json *tree;
    train_spec_add_json(spec, &text);
    CHECK(json_parse(&arena, str_text(&text), text.len, &tree, NULL) == STATUS_OK);
    arena_release(&arena);
    str_release(&text);
}

static void check_arguments(int argc, char *const *argv) {
    struct train_spec spec;
    struct error err = {0};
    fields_default(&train_spec_table, &spec);
    enum status status = fields_parse_args(&train_spec_table, &spec, argc, argv, FIELD_JOB, &err);
    if (status == STATUS_OK)
        status = train_spec_finish(&spec, &err);
    CHECK(status == STATUS_OK || (status == STATUS_INVALID && err.message[0]));
    if (status == STATUS_OK)
        check_json(&spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    char *text = xmalloc(len + 1), *argv[MOST_ARGUMENTS];
    int argc = 0;
    memcpy(text, bytes, len);
    text[len] = 0;
    for (char *line = text; line && argc < MOST_ARGUMENTS;) {
        char *end = strchr(line, '\n');
        argv[argc++] = line;
        line = end ? end + 1 : NULL;
        if (end)
            *end = 0;
    }
    check_arguments(argc, argv);
    free(text);
    return 0;
}
