/*
 * picture.h - JPEG and PNG files to pixels.
 *
 * Limits are checked before anything is decoded. EXIF orientation is applied, alpha is laid over
 * black, 16-bit PNG is cut to 8 bits, palettes are expanded; CMYK JPEG is converted.
 *
 * Errors:  INVALID (not a JPEG or PNG, broken, truncated), TOO_LARGE (pixels or bytes),
 *          UNSUPPORTED (built without the image libraries).
 * Threads: pure functions.
 */
#ifndef ENGINE_DATA_PICTURE_H
#define ENGINE_DATA_PICTURE_H

#include "engine/base/mem.h"

enum {
    PICTURE_MAX_SIDE = 16384,
    PICTURE_MAX_PIXELS = 40 * 1000 * 1000,
    PICTURE_MAX_BYTES = 32 << 20,
    PICTURE_MAX_SCANS = 64 /* of a progressive JPEG */
};

struct picture {
    int height, width, channels; /* channels 1 or 3 */
    uint8_t *pixels;             /* [height,width,channels] */
};

/* Decodes a whole JPEG or PNG file; picture is zeroed on failure. */
MUST_CHECK enum status picture_decode(struct picture *picture, const void *bytes, size_t len,
                                      struct error *err);

/* How many pixels decoding such a file goes over, by its header: those of a progressive JPEG once a
 * scan. 0 for what cannot be decoded. */
int64_t picture_pixels(const void *bytes, size_t len);

void picture_release(struct picture *picture); /* Zeroed or decoded. */

/* Encodes an 8-bit PNG into *bytes, the caller's to free(). */
MUST_CHECK enum status picture_encode_png(const struct picture *picture, void **bytes, size_t *len,
                                          struct error *err);

/* Writes an 8-bit PNG, for tests and samples. */
MUST_CHECK enum status picture_write_png(const struct picture *picture, const char *path,
                                         struct error *err);

#endif
