#include "service/common/secret.h"

#include "engine/base/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static enum status refuse(const char *field, const char *path, const char *why, struct error *err) {
    return error_set_field(err, STATUS_INVALID, field, "%s: %s %s", field, path, why);
}

enum status secret_read(char **out, const char *field, const char *path, size_t max,
                        struct error *err) {
    struct error cause = {0};
    struct stat info;
    size_t len = 0;
    *out = NULL;
    if (stat(path, &info) == 0 && (info.st_mode & S_IRWXO))
        return refuse(field, path, "can be read by everyone; take that away (chmod o=)", err);
    if (file_read(path, max, out, &len, &cause) != STATUS_OK)
        return error_set_field(err, STATUS_INVALID, field, "%s: %.300s", field, cause.message);
    if (len > 0 && strlen(*out) == len)
        return STATUS_OK;
    secret_free(*out);
    *out = NULL;
    return refuse(field, path, len ? "is no text file" : "is empty", err);
}

enum status secret_read_line(char **out, const char *field, const char *path, size_t max,
                             struct error *err) {
    enum status status = secret_read(out, field, path, max, err);
    if (status)
        return status;
    size_t len = strcspn(*out, "\r\n");
    bool single = len > 0 && strspn(*out + len, "\r\n") == strlen(*out + len);
    if (single) {
        (*out)[len] = '\0';
        return STATUS_OK;
    }
    secret_free(*out);
    *out = NULL;
    return refuse(field, path, "must hold one line", err);
}

void secret_free(char *secret) {
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}
