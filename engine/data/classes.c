#include "engine/data/dataset_internal.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 16 << 20 };

/* The line at *cursor without white space at its end; moves the cursor to the next line. */
static size_t next_line(char **cursor) {
    char *line = *cursor;
    size_t len = strcspn(line, "\n");
    *cursor = line + len + (line[len] == '\n');
    while (len > 0 && strchr(" \t\r", line[len - 1]))
        len--;
    line[len] = '\0';
    return len;
}

static void classes_split(char *text, char ***names, int *count, int *capacity) {
    while (*text && *count <= DATASET_MAX_CLASSES) {
        char *line = text;
        if (next_line(&text) == 0)
            continue;
        MEM_GROW(*names, *count, *capacity);
        (*names)[(*count)++] = xstrdup(line);
    }
}

enum status classes_read(const char *path, char ***names, int *count, struct error *err) {
    char *text;
    size_t len;
    int capacity = 0;
    enum status status = file_read(path, FILE_MAX_BYTES, &text, &len, err);
    if (status)
        return status;
    if (strlen(text) != len) {
        status = error_set(err, STATUS_CORRUPT, "%s: not a text file", path);
        goto out;
    }
    classes_split(text, names, count, &capacity);
    if (*count == 0 || *count > DATASET_MAX_CLASSES)
        status = error_set(err, STATUS_CORRUPT, "%s: the number of class names is not in 1..%d",
                           path, DATASET_MAX_CLASSES);
out:
    free(text);
    return status;
}
