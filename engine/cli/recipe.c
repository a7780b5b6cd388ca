#include "engine/cli/recipe.h"

#include "engine/base/file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define KEY "recipe"

enum { RECIPE_MAX_BYTES = 64 << 10 };

static const char *find_path(int count, char *const *assignments) {
    for (int i = 0; i < count; i++)
        if (str_has_prefix(assignments[i], KEY "="))
            return assignments[i] + strlen(KEY "=");
    return NULL;
}

/* Without the white space around it, cut in place. */
static char *trim(char *line) {
    while (isspace((unsigned char)*line))
        line++;
    size_t len = strlen(line);
    while (len > 0 && isspace((unsigned char)line[len - 1]))
        line[--len] = '\0';
    return line;
}

/* The lines that say something, as pointers into the text; room for all is in lines. */
static int split_lines(char *text, char **lines) {
    int count = 0;
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        line = trim(line);
        if (*line && *line != '#')
            lines[count++] = line;
    }
    return count;
}

static enum status apply_text(const struct command *command, void *options, char *text, size_t len,
                              struct error *err) {
    char **lines = xcalloc(len + 1, sizeof *lines); /* no text has more lines */
    int count = split_lines(text, lines);
    enum status status =
        fields_parse_args(command->table, options, count, lines, command->refused, err);
    if (!status && find_path(count, lines))
        status = error_set_field(err, STATUS_INVALID, KEY, "a recipe cannot name another");
    free(lines);
    return status;
}

/* Rows that say the same thing as this one in another way are as if the recipe had none. */
static void clear_others(const struct field_table *table, const struct field *field,
                         void *options) {
    const struct field *next = field + 1, *end = table->fields + table->count;
    if (field->flags & FIELD_OR_PREVIOUS)
        field_clear(field - 1, options);
    if (next < end && next->flags & FIELD_OR_PREVIOUS)
        field_clear(next, options);
}

enum status recipe_apply(const struct command *command, void *options, int count,
                         char *const *assignments, struct error *err) {
    const char *path = find_path(count, assignments);
    char *text = NULL;
    size_t len = 0;
    if (!path || !field_find(command->table, KEY))
        return STATUS_OK;
    enum status status = file_read(path, RECIPE_MAX_BYTES, &text, &len, err);
    if (status)
        return status;
    status = apply_text(command, options, text, len, err);
    free(text);
    for (int i = 0; i < count && !status; i++) {
        char name[ERROR_FIELD_BYTES] = "";
        size_t name_len = strcspn(assignments[i], "=");
        if (name_len < sizeof name)
            memcpy(name, assignments[i], name_len);
        const struct field *field = field_find(command->table, name);
        if (field)
            clear_others(command->table, field, options);
    }
    return error_wrap(err, status, "%s", path);
}
