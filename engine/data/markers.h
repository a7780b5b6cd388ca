/*
 * markers.h - what must be known about a JPEG or PNG file before it is decoded.
 *
 * Only markers and chunks are walked; every length is checked against the bytes that are there,
 * and nothing is allocated.
 *
 * Threads: pure functions.
 */
#ifndef ENGINE_DATA_MARKERS_H
#define ENGINE_DATA_MARKERS_H

#include "engine/base/status.h"

#include <stddef.h>
#include <stdint.h>

struct jpeg_markers {
    int height, width; /* of the last frame; 0: there is none */
    int scans;         /* of a progressive picture, each a pass over all pixels */
    int orientation;   /* 1..8 as EXIF numbers them; 1 when nothing is said */
};

/* Walks a JPEG file to its end marker. INVALID when that is missing or a segment is cut off. */
MUST_CHECK enum status markers_of_jpeg(struct jpeg_markers *markers, const uint8_t *bytes,
                                       size_t len, struct error *err);

/* Height times width in a PNG file's header, 0 when there is none. */
uint64_t markers_png_pixels(const uint8_t *bytes, size_t len);

/* The orientation in a PNG file's eXIf chunk; 1 when there is none or it is broken. */
int markers_png_orientation(const uint8_t *bytes, size_t len);

#endif
