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

enum status gunzip_create(struct gunzip **out, struct error *err) {
    *out = NULL;
    return error_set(err, STATUS_UNSUPPORTED, "this build reads no gzip files (no zlib)");
}

void gunzip_free(struct gunzip *gunzip) {
    (void)gunzip;
}

enum status gunzip_add(struct gunzip *gunzip, const uint8_t *bytes, size_t len,
                       gunzip_take_fn *take, void *ctx, struct error *err) {
    (void)gunzip, (void)bytes, (void)len, (void)take, (void)ctx;
    return error_set(err, STATUS_UNSUPPORTED, "this build reads no gzip files (no zlib)");
}

enum status gunzip_end(const struct gunzip *gunzip, struct error *err) {
    (void)gunzip;
    return error_set(err, STATUS_UNSUPPORTED, "this build reads no gzip files (no zlib)");
}
