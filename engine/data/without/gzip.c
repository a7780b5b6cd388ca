#include "engine/data/gzip.h"

enum status gzip_read(const char *path, void *out, size_t bytes, size_t *got, bool *more,
                      struct error *err) {
    (void)out, (void)bytes, (void)got, (void)more;
    return error_set(err, STATUS_UNSUPPORTED, "%s: this build reads no gzip files (no zlib)", path);
}

enum status gzip_map(struct file_map *map, const char *path, struct error *err) {
    *map = (struct file_map){0};
    return error_set(err, STATUS_UNSUPPORTED, "%s: this build reads no gzip files", path);
}
