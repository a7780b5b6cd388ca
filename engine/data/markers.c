#include "engine/data/markers.h"

#include <stdbool.h>
#include <string.h>

/* JPEG markers, second byte; the first is 0xff. */
enum {
    MARKER_TEM = 0x01,
    MARKER_SOF0 = 0xc0,
    MARKER_DHT = 0xc4,
    MARKER_JPG = 0xc8,
    MARKER_DAC = 0xcc,
    MARKER_SOF15 = 0xcf,
    MARKER_RST0 = 0xd0,
    MARKER_SOI = 0xd8,
    MARKER_EOI = 0xd9,
    MARKER_SOS = 0xda,
    MARKER_APP1 = 0xe1
};

/* The TIFF structure inside EXIF. */
enum { TIFF_ENTRY_BYTES = 12, TIFF_MAGIC = 42, TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3 };

struct tiff {
    const uint8_t *bytes;
    size_t len;
    bool big_endian;
};

/* An unsigned number of n bytes; 0 when it is not within the structure. */
static uint32_t tiff_number(const struct tiff *tiff, size_t at, size_t n) {
    uint32_t value = 0;
    if (at > tiff->len || n > tiff->len - at)
        return 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | tiff->bytes[at + (tiff->big_endian ? i : n - 1 - i)];
    return value;
}

/* The orientation in the first directory, or 1. */
static int tiff_orientation(const uint8_t *bytes, size_t len) {
    struct tiff tiff = {bytes, len, len > 0 && bytes[0] == 'M'};
    if (tiff_number(&tiff, 2, 2) != TIFF_MAGIC)
        return 1;
    size_t directory = tiff_number(&tiff, 4, 4);
    size_t entries = tiff_number(&tiff, directory, 2);
    for (size_t i = 0; i < entries; i++) {
        size_t at = directory + 2 + i * TIFF_ENTRY_BYTES;
        if (tiff_number(&tiff, at, 2) != TAG_ORIENTATION)
            continue;
        uint32_t value = tiff_number(&tiff, at + 8, 2);
        bool valid = tiff_number(&tiff, at + 2, 2) == TYPE_SHORT && value >= 1 && value <= 8;
        return valid ? (int)value : 1;
    }
    return 1;
}

/* Offset of the next marker's second byte from at on, or len. */
static size_t next_marker(const uint8_t *bytes, size_t len, size_t at) {
    while (at < len) {
        const uint8_t *found = memchr(bytes + at, 0xff, len - at);
        if (!found)
            return len;
        at = (size_t)(found - bytes) + 1;
        while (at < len && bytes[at] == 0xff) /* fill bytes */
            at++;
        bool stuffed = at < len && bytes[at] == 0;
        if (!stuffed)
            return at;
    }
    return len;
}

static bool has_no_segment(int marker) {
    return marker == MARKER_TEM || (marker >= MARKER_RST0 && marker <= MARKER_SOI);
}

static bool begins_frame(int marker) {
    return marker >= MARKER_SOF0 && marker <= MARKER_SOF15 && marker != MARKER_DHT &&
           marker != MARKER_JPG && marker != MARKER_DAC;
}

/* A frame's segment: its length, the bits of a sample, height and width. */
static void take_size(struct jpeg_markers *markers, const uint8_t *segment, size_t len) {
    enum { SIZE_END = 7 };
    if (len < SIZE_END)
        return;
    markers->height = segment[3] << 8 | segment[4];
    markers->width = segment[5] << 8 | segment[6];
}

enum status markers_of_jpeg(struct jpeg_markers *markers, const uint8_t *bytes, size_t len,
                            struct error *err) {
    static const char exif[6] = "Exif\0";
    *markers = (struct jpeg_markers){.orientation = 1};
    size_t at = next_marker(bytes, len, 0);
    while (at < len && bytes[at] != MARKER_EOI) {
        int marker = bytes[at++];
        if (!has_no_segment(marker)) {
            size_t segment = len - at < 2 ? 0 : (size_t)bytes[at] << 8 | bytes[at + 1];
            if (segment < 2 || segment > len - at)
                break;
            if (marker == MARKER_APP1 && segment >= 2 + sizeof exif &&
                memcmp(bytes + at + 2, exif, sizeof exif) == 0)
                markers->orientation =
                    tiff_orientation(bytes + at + 2 + sizeof exif, segment - 2 - sizeof exif);
            if (begins_frame(marker))
                take_size(markers, bytes + at, segment);
            markers->scans += marker == MARKER_SOS;
            at += segment;
        }
        at = next_marker(bytes, len, at);
    }
    if (at >= len || bytes[at] != MARKER_EOI)
        return error_set(err, STATUS_INVALID, "the JPEG file is truncated or broken");
    return STATUS_OK;
}

uint64_t markers_png_pixels(const uint8_t *bytes, size_t len) {
    enum { WIDTH = 16, HEIGHT = 20, HEIGHT_END = 24 }; /* in the header, which comes first */
    const struct tiff header = {bytes, len, true};
    if (len < HEIGHT_END || memcmp(bytes + WIDTH - 4, "IHDR", 4) != 0)
        return 0;
    return (uint64_t)tiff_number(&header, WIDTH, 4) * tiff_number(&header, HEIGHT, 4);
}

int markers_png_orientation(const uint8_t *bytes, size_t len) {
    enum { SIGNATURE = 8, FRAME = 12 }; /* a chunk's length, name and checksum */
    size_t at = SIGNATURE;
    while (at <= len && len - at >= FRAME) {
        size_t size = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 |
                      (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        if (size > len - at - FRAME)
            return 1;
        if (memcmp(bytes + at + 4, "eXIf", 4) == 0)
            return tiff_orientation(bytes + at + 8, size);
        at += FRAME + size;
    }
    return 1;
}
