#include "service/store/stored_error.h"

#include "engine/base/file.h"

#include <string.h>

enum status stored_error(const char *folder, enum status status, struct error *err) {
    if (status != STATUS_NOT_FOUND || !file_is_dir(folder))
        return status;
    if (err)
        err->status = STATUS_CORRUPT;
    return STATUS_CORRUPT;
}

void stored_error_hide(const char *data, char *text) {
    size_t len = strlen(data);
    for (char *at = text; len && (at = strstr(at, data));) {
        if (at[len] == '/')
            memmove(at, at + len + 1, strlen(at + len + 1) + 1);
        else
            at += len;
    }
}
