/*
 * line.h - a JSON object as one line of output, member by member.
 *
 * Usage: struct line line = {0}; line_text(&line, ...); ... line_print(&line).
 *
 * Ownership: line_print or line_release frees the text.
 */
#ifndef ENGINE_CLI_LINE_H
#define ENGINE_CLI_LINE_H

#include "engine/base/str.h"

struct line {
    struct str text;
};

void line_text(struct line *line, const char *key, const char *value); /* A string. */
void line_integer(struct line *line, const char *key, int64_t value);  /* A whole number. */
void line_number(struct line *line, const char *key, double value);    /* Or null if not finite. */
void line_json(struct line *line, const char *key, const char *json);  /* A value as it is. */

const char *line_end(struct line *line); /* Ends the object; its text, valid until released. */
void line_release(struct line *line);    /* Empties it; usable again. */

/* Ends the object, prints it on stdout at once, and empties the line. */
void line_print(struct line *line);

#endif
