#include "service/store/suggest.h"

#include "engine/base/str.h"
#include "service/store/folders.h"

#include <stdio.h>
#include <string.h>

struct suggestion {
    const char *name;
    char nearest[FILE_PATH_BYTES]; /* or "" */
};

static enum status look_at(void *ctx, const char *candidate, struct error *err) {
    struct suggestion *suggestion = ctx;
    const char *best = suggestion->nearest[0] ? suggestion->nearest : NULL, *before = best;
    (void)err;
    str_nearer(&best, suggestion->name, candidate);
    if (best != before)
        str_copy(suggestion->nearest, sizeof suggestion->nearest, best);
    return STATUS_OK;
}

void suggest_dataset(const char *data, const char *name, struct error *err) {
    char folder[FILE_PATH_BYTES];
    struct suggestion suggestion = {.name = name};
    if (folder_path(folder, data, "datasets", NULL, NULL) ||
        folder_each(folder, false, look_at, &suggestion, NULL) || !suggestion.nearest[0])
        return;
    size_t len = strlen(err->message);
    snprintf(err->message + len, sizeof err->message - len, "; did you mean \"%.64s\"?",
             suggestion.nearest);
}
