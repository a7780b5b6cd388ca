#include "engine/data/picture.h"

#include "engine/base/file.h"
#include "engine/data/markers.h"
#include "engine/data/picture_codec.h"

#include <stdlib.h>
#include <string.h>

enum status picture_check_size(uint64_t height, uint64_t width, struct error *err) {
    if (height < 1 || width < 1)
        return error_set(err, STATUS_INVALID, "the picture is empty");
    if (height > PICTURE_MAX_SIDE || width > PICTURE_MAX_SIDE ||
        height * width > PICTURE_MAX_PIXELS)
        return error_set(err, STATUS_TOO_LARGE,
                         "the picture has %llux%llu pixels; at most %d a side and %d in all are "
                         "allowed",
                         (unsigned long long)width, (unsigned long long)height, PICTURE_MAX_SIDE,
                         PICTURE_MAX_PIXELS);
    return STATUS_OK;
}

/* Where pixel (0,0) of the upright picture lies in the stored one, and what a step along its
 * rows and columns means there: EXIF orientations 1 to 8. */
struct turn {
    bool transpose, flip_y, flip_x; /* flips are of the stored picture's axes */
};

static const struct turn turns[9] = {
    [2] = {false, false, true}, [3] = {false, true, true}, [4] = {false, true, false},
    [5] = {true, false, false}, [6] = {true, true, false}, [7] = {true, true, true},
    [8] = {true, false, true},
};

static void turn_pixels(const struct picture *stored, const struct turn *turn,
                        struct picture *upright) {
    size_t channels = (size_t)stored->channels;
    uint8_t *out = upright->pixels;
    for (int y = 0; y < upright->height; y++)
        for (int x = 0; x < upright->width; x++, out += channels) {
            int from_y = turn->transpose ? x : y, from_x = turn->transpose ? y : x;
            if (turn->flip_y)
                from_y = stored->height - 1 - from_y;
            if (turn->flip_x)
                from_x = stored->width - 1 - from_x;
            size_t at = (size_t)from_y * (size_t)stored->width + (size_t)from_x;
            memcpy(out, stored->pixels + at * channels, channels);
        }
}

static enum status apply_orientation(struct picture *picture, int orientation, struct error *err) {
    const struct turn *turn = &turns[orientation];
    struct picture upright = *picture;
    if (orientation == 1)
        return STATUS_OK;
    upright.height = turn->transpose ? picture->width : picture->height;
    upright.width = turn->transpose ? picture->height : picture->width;
    size_t bytes = (size_t)picture->height * (size_t)picture->width * (size_t)picture->channels;
    enum status status = mem_alloc_large((void **)&upright.pixels, bytes, "a turned picture", err);
    if (status)
        return status;
    turn_pixels(picture, turn, &upright);
    picture_release(picture);
    *picture = upright;
    return STATUS_OK;
}

/* Lays a picture whose last channel is alpha over black, in place. */
static void drop_alpha(struct picture *picture) {
    size_t pixels = (size_t)picture->height * (size_t)picture->width;
    size_t from_channels = (size_t)picture->channels, channels = from_channels - 1;
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *from = picture->pixels + i * from_channels;
        int alpha = from[channels];
        for (size_t c = 0; c < channels; c++)
            picture->pixels[i * channels + c] = (uint8_t)((from[c] * alpha + 127) / 255);
    }
    picture->channels = (int)channels;
}

static enum status decode_jpeg(struct picture *picture, const uint8_t *bytes, size_t len,
                               struct error *err) {
    struct jpeg_markers markers;
    enum status status = markers_of_jpeg(&markers, bytes, len, err);
    if (status)
        return status;
    if (markers.scans > PICTURE_MAX_SCANS)
        return error_set(err, STATUS_TOO_LARGE,
                         "the JPEG file has %d scans; at most %d are "
                         "allowed",
                         markers.scans, PICTURE_MAX_SCANS);
    status = jpeg_decode(picture, bytes, len, err);
    return status ? status : apply_orientation(picture, markers.orientation, err);
}

static enum status decode_png(struct picture *picture, const uint8_t *bytes, size_t len,
                              struct error *err) {
    enum status status = png_decode(picture, bytes, len, err);
    if (status)
        return status;
    if (picture->channels == 2 || picture->channels == 4)
        drop_alpha(picture);
    return apply_orientation(picture, markers_png_orientation(bytes, len), err);
}

static int64_t pixels_of_jpeg(const uint8_t *bytes, size_t len) {
    struct jpeg_markers markers;
    if (markers_of_jpeg(&markers, bytes, len, NULL) || markers.scans > PICTURE_MAX_SCANS)
        return 0;
    return (int64_t)markers.height * markers.width * markers.scans;
}

static int64_t pixels_of_png(const uint8_t *bytes, size_t len) {
    uint64_t pixels = markers_png_pixels(bytes, len);
    return pixels > PICTURE_MAX_PIXELS ? 0 : (int64_t)pixels;
}

struct signature {
    const char *bytes;
    size_t len;
    int64_t (*pixels)(const uint8_t *bytes, size_t len);
    enum status (*decode)(struct picture *picture, const uint8_t *bytes, size_t len,
                          struct error *err);
};

static const struct signature signatures[] = {
    {"\xff\xd8\xff", 3, pixels_of_jpeg, decode_jpeg},
    {"\x89PNG\r\n\x1a\n", 8, pixels_of_png, decode_png},
};

/* What kind of file it is; NULL: none of these. */
static const struct signature *find_signature(const void *bytes, size_t len) {
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++)
        if (len >= signatures[i].len && memcmp(bytes, signatures[i].bytes, signatures[i].len) == 0)
            return &signatures[i];
    return NULL;
}

int64_t picture_pixels(const void *bytes, size_t len) {
    const struct signature *signature = find_signature(bytes, len);
    return signature && len <= PICTURE_MAX_BYTES ? signature->pixels(bytes, len) : 0;
}

enum status picture_decode(struct picture *picture, const void *bytes, size_t len,
                           struct error *err) {
    *picture = (struct picture){0};
    if (len > PICTURE_MAX_BYTES)
        return error_set(err, STATUS_TOO_LARGE,
                         "the picture file has %zu bytes; at most %d are "
                         "allowed",
                         len, PICTURE_MAX_BYTES);
    const struct signature *signature = find_signature(bytes, len);
    if (!signature)
        return error_set(err, STATUS_INVALID, "the file is neither JPEG nor PNG");
    enum status status = signature->decode(picture, bytes, len, err);
    if (status)
        picture_release(picture);
    return status;
}

void picture_release(struct picture *picture) {
    mem_free_large(picture->pixels);
    *picture = (struct picture){0};
}

enum status picture_encode_png(const struct picture *picture, void **bytes, size_t *len,
                               struct error *err) {
    return png_encode(picture, bytes, len, err);
}

enum status picture_write_png(const struct picture *picture, const char *path, struct error *err) {
    void *bytes;
    size_t len;
    enum status status = png_encode(picture, &bytes, &len, err);
    if (status)
        return status;
    status = file_write(path, bytes, len, err);
    free(bytes);
    return status;
}
