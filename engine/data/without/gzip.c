#include "engine/data/gzip.h"

enum status gzip_read(const char *path, void *out, size_t bytes, size_t *got, bool *more,
                      struct error *err) {
    (void)out, (void)bytes, (void)got, (void)more;
    return error_set(err, STATUS_UNSUPPORTED, "%s: this build reads no gzip files (no zlib)", path);
}
