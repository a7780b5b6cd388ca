#include "engine/cli/line.h"

#include <stdio.h>

static void add_key(struct line *line, const char *key) {
    str_add(&line->text, line->text.len ? ", " : "{");
    str_add_json(&line->text, key);
    str_add(&line->text, ": ");
}

void line_text(struct line *line, const char *key, const char *value) {
    add_key(line, key);
    str_add_json(&line->text, value);
}

void line_integer(struct line *line, const char *key, int64_t value) {
    add_key(line, key);
    str_addf(&line->text, "%lld", (long long)value);
}

/* Nine digits tell any two floats apart, and read better than seventeen. */
void line_number(struct line *line, const char *key, double value) {
    add_key(line, key);
    str_add_float(&line->text, (float)value);
}

void line_json(struct line *line, const char *key, const char *json) {
    add_key(line, key);
    str_add(&line->text, json);
}

const char *line_end(struct line *line) {
    str_add(&line->text, line->text.len ? "}" : "{}");
    return str_text(&line->text);
}

void line_release(struct line *line) {
    str_release(&line->text);
}

void line_print(struct line *line) {
    puts(line_end(line));
    fflush(stdout);
    line_release(line);
}
