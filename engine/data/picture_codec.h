/*
 * picture_codec.h - the contact with libjpeg-turbo and libpng; for picture.c only.
 *
 * with/picture_codec.c is built where both libraries are found, without/picture_codec.c says
 * UNSUPPORTED. libjpeg-turbo's warnings are errors here, because it fills what it cannot read
 * with grey: what is classified is what was sent.
 *
 * Ownership: pixels come from mem_alloc_large and are the caller's, also after a failure.
 * Errors:    as in picture.h.
 * Threads:   pure functions.
 */
#ifndef ENGINE_DATA_PICTURE_CODEC_H
#define ENGINE_DATA_PICTURE_CODEC_H

#include "engine/data/picture.h"

/* Checks the size against the limits of picture.h. */
MUST_CHECK enum status picture_check_size(uint64_t height, uint64_t width, struct error *err);

/* Decodes the pixels of a JPEG file as grey or RGB; orientation is not applied. The caller has
 * bounded the number of scans. */
MUST_CHECK enum status jpeg_decode(struct picture *picture, const uint8_t *bytes, size_t len,
                                   struct error *err);

/* Decodes the pixels of a PNG file; channels becomes 1 to 4 (2 and 4: the last one is alpha). */
MUST_CHECK enum status png_decode(struct picture *picture, const uint8_t *bytes, size_t len,
                                  struct error *err);

/* Encodes as PNG into *bytes, the caller's to free(). */
MUST_CHECK enum status png_encode(const struct picture *picture, void **bytes, size_t *len,
                                  struct error *err);

#endif
