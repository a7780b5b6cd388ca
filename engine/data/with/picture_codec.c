#include "engine/data/picture_codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <turbojpeg.h>

/* What a small file may make libpng allocate for things that are not pixels. */
enum { PNG_CHUNK_MAX_BYTES = 1 << 20, PNG_CHUNK_MAX_COUNT = 128 };

struct color {
    int space;    /* of the file: enum TJCS */
    int format;   /* to decode to: enum TJPF */
    int bytes;    /* of a decoded pixel */
    int channels; /* of the picture */
};

static const struct color colors[] = {
    {TJCS_GRAY, TJPF_GRAY, 1, 1}, {TJCS_RGB, TJPF_RGB, 3, 3},   {TJCS_YCbCr, TJPF_RGB, 3, 3},
    {TJCS_CMYK, TJPF_CMYK, 4, 3}, {TJCS_YCCK, TJPF_CMYK, 4, 3},
};

static const struct color *find_color(int space) {
    for (size_t i = 0; i < sizeof colors / sizeof colors[0]; i++)
        if (colors[i].space == space)
            return &colors[i];
    return NULL;
}

static enum status alloc_pixels(struct picture *picture, int bytes, struct error *err) {
    size_t size = (size_t)picture->height * (size_t)picture->width * (size_t)bytes;
    return mem_alloc_large((void **)&picture->pixels, size, "a picture", err);
}

/* Files hold CMYK inverted, as Adobe's programs began to write it: 255 is no ink. */
static void cmyk_to_rgb(uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < 3; c++)
            pixels[3 * i + (size_t)c] =
                (uint8_t)((pixels[4 * i + (size_t)c] * pixels[4 * i + 3] + 127) / 255);
}

static enum status jpeg_error(tjhandle handle, struct error *err) {
    return error_set(err, STATUS_INVALID, "broken JPEG file: %s", tjGetErrorStr2(handle));
}

/* Some cameras leave a few bytes between the pixels and the next marker: the pixels are whole. */
static bool is_harmless(tjhandle handle) {
    return tjGetErrorCode(handle) == TJERR_WARNING &&
           strstr(tjGetErrorStr2(handle), "extraneous bytes");
}

static bool jpeg_pixels(tjhandle handle, const struct picture *picture, const uint8_t *bytes,
                        size_t len, int format) {
    static const int flags[] = {TJFLAG_STOPONWARNING, 0}; /* again only past what is harmless */
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (tjDecompress2(handle, bytes, len, picture->pixels, picture->width, 0, picture->height,
                          format, flags[i]) == 0)
            return true;
        if (!is_harmless(handle))
            return false;
    }
    return true;
}

static enum status jpeg_run(tjhandle handle, struct picture *picture, const uint8_t *bytes,
                            size_t len, struct error *err) {
    int subsampling, space;
    if (tjDecompressHeader3(handle, bytes, len, &picture->width, &picture->height, &subsampling,
                            &space) != 0)
        return jpeg_error(handle, err);
    const struct color *color = find_color(space);
    if (!color)
        return error_set(err, STATUS_INVALID, "JPEG colour space %d is not supported", space);
    enum status status =
        picture_check_size((uint64_t)picture->height, (uint64_t)picture->width, err);
    if (!status)
        status = alloc_pixels(picture, color->bytes, err);
    if (status)
        return status;
    if (!jpeg_pixels(handle, picture, bytes, len, color->format))
        return jpeg_error(handle, err);
    picture->channels = color->channels;
    if (color->format == TJPF_CMYK)
        cmyk_to_rgb(picture->pixels, (size_t)picture->height * (size_t)picture->width);
    return STATUS_OK;
}

enum status jpeg_decode(struct picture *picture, const uint8_t *bytes, size_t len,
                        struct error *err) {
    tjhandle handle = tjInitDecompress();
    if (!handle)
        return error_set(err, STATUS_OUT_OF_MEMORY, "no memory for the JPEG decoder");
    enum status status = jpeg_run(handle, picture, bytes, len, err);
    tjDestroy(handle);
    return status;
}

/* A PNG file being decoded. libpng leaves its functions by longjmp, so all state is in here and
 * nothing that changes is a local variable of a function that calls setjmp. */
struct png_reader {
    png_structp png;
    png_infop info;
    const uint8_t *bytes;
    size_t len, at;
    struct picture *picture;
    struct error *err;
    enum status status; /* of a failure that is not libpng's own */
    char message[128];
};

static void png_on_error(png_structp png, png_const_charp message) {
    struct png_reader *reader = png_get_error_ptr(png);
    snprintf(reader->message, sizeof reader->message, "%s", message);
    png_longjmp(png, 1);
}

/* Warnings are about what stands beside the pixels: text, profiles, times. */
static void png_on_warning(png_structp png, png_const_charp message) {
    (void)png, (void)message;
}

static void png_on_read(png_structp png, png_bytep out, size_t bytes) {
    struct png_reader *reader = png_get_io_ptr(png);
    if (bytes > reader->len - reader->at)
        png_error(png, "the file is truncated");
    memcpy(out, reader->bytes + reader->at, bytes);
    reader->at += bytes;
}

static enum status png_open(struct png_reader *reader) {
    reader->png =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, png_on_error, png_on_warning);
    if (reader->png)
        reader->info = png_create_info_struct(reader->png);
    if (!reader->info)
        return error_set(reader->err, STATUS_OUT_OF_MEMORY, "no memory for the PNG decoder");
    /* The size is checked by picture_check_size, before anything of that size is allocated. */
    png_set_user_limits(reader->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(reader->png, PNG_CHUNK_MAX_BYTES);
    png_set_chunk_cache_max(reader->png, PNG_CHUNK_MAX_COUNT);
    png_set_read_fn(reader->png, reader, png_on_read);
    return STATUS_OK;
}

/* Any PNG becomes 8-bit grey or RGB, with alpha where the file has transparency. */
static void png_normalise(struct png_reader *reader) {
    png_structp png = reader->png;
    png_set_strip_16(png);
    png_set_expand(png); /* palettes, fewer than 8 bits, a transparent colour */
    png_set_interlace_handling(png);
    png_read_update_info(png, reader->info);
}

static void png_read_size(struct png_reader *reader) {
    struct picture *picture = reader->picture;
    png_read_info(reader->png, reader->info);
    picture->height = (int)png_get_image_height(reader->png, reader->info);
    picture->width = (int)png_get_image_width(reader->png, reader->info);
    reader->status =
        picture_check_size((uint64_t)picture->height, (uint64_t)picture->width, reader->err);
    if (reader->status)
        return;
    png_normalise(reader);
    picture->channels = png_get_channels(reader->png, reader->info);
    reader->status = alloc_pixels(picture, picture->channels, reader->err);
}

static void png_read_pixels(struct png_reader *reader) {
    struct picture *picture = reader->picture;
    size_t stride = png_get_rowbytes(reader->png, reader->info);
    bool interlaced = png_get_interlace_type(reader->png, reader->info) == PNG_INTERLACE_ADAM7;
    for (int pass = 0; pass < (interlaced ? PNG_INTERLACE_ADAM7_PASSES : 1); pass++)
        for (int y = 0; y < picture->height; y++)
            png_read_row(reader->png, picture->pixels + (size_t)y * stride, NULL);
    png_read_end(reader->png, NULL);
}

static enum status png_run(struct png_reader *reader) {
    if (setjmp(png_jmpbuf(reader->png)))
        return error_set(reader->err, STATUS_INVALID, "broken PNG file: %s", reader->message);
    png_read_size(reader);
    if (!reader->status)
        png_read_pixels(reader);
    return reader->status;
}

enum status png_decode(struct picture *picture, const uint8_t *bytes, size_t len,
                       struct error *err) {
    struct png_reader reader = {.bytes = bytes, .len = len, .picture = picture, .err = err};
    enum status status = png_open(&reader);
    if (!status)
        status = png_run(&reader);
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    return status;
}

enum status png_encode(const struct picture *picture, void **bytes, size_t *len,
                       struct error *err) {
    png_image image = {
        .version = PNG_IMAGE_VERSION,
        .width = (png_uint_32)picture->width,
        .height = (png_uint_32)picture->height,
        .format = picture->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB,
    };
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *memory = xmalloc(size);
    if (!png_image_write_to_memory(&image, memory, &size, 0, picture->pixels, 0, NULL)) {
        free(memory);
        return error_set(err, STATUS_INVALID, "cannot write a PNG file: %s", image.message);
    }
    *bytes = memory;
    *len = size;
    return STATUS_OK;
}
