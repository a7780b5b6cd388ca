#include "engine/data/picture_codec.h"

static enum status no_library(struct error *err) {
    return error_set(err, STATUS_UNSUPPORTED,
                     "this build has no picture formats (no libjpeg-turbo or no libpng)");
}

enum status jpeg_decode(struct picture *picture, const uint8_t *bytes, size_t len,
                        struct error *err) {
    (void)picture, (void)bytes, (void)len;
    return no_library(err);
}

enum status png_decode(struct picture *picture, const uint8_t *bytes, size_t len,
                       struct error *err) {
    (void)picture, (void)bytes, (void)len;
    return no_library(err);
}

enum status png_encode(const struct picture *picture, void **bytes, size_t *len,
                       struct error *err) {
    (void)picture, (void)bytes, (void)len;
    return no_library(err);
}
