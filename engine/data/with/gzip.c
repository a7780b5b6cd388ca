#include "engine/data/gzip.h"

#include "engine/base/file.h"

#include <stdlib.h>
#include <unistd.h>

#include <zlib.h>

/* zlib counts in unsigned int; larger pieces are handed over one after the other. */
enum { UNPACK_BYTES = 1 << 20, PIECE_BYTES = 1 << 30, WINDOW_GZIP_ONLY = 16 + MAX_WBITS };

struct inflater {
    z_stream stream;
    const uint8_t *in;
    size_t in_bytes; /* not yet handed to the stream */
};

/* Decompresses into out until it is full or the stream ends; Z_OK, Z_STREAM_END or an error. */
static int inflate_into(struct inflater *inflater, uint8_t *out, size_t bytes, size_t *got) {
    z_stream *stream = &inflater->stream;
    int result = Z_OK;
    *got = 0;
    while (result == Z_OK && *got < bytes) {
        if (stream->avail_in == 0 && inflater->in_bytes > 0) {
            size_t piece = inflater->in_bytes < PIECE_BYTES ? inflater->in_bytes : PIECE_BYTES;
            stream->next_in = (z_const Bytef *)(uintptr_t)inflater->in;
            stream->avail_in = (uInt)piece;
            inflater->in += piece;
            inflater->in_bytes -= piece;
        }
        size_t room = bytes - *got < PIECE_BYTES ? bytes - *got : PIECE_BYTES;
        stream->next_out = out + *got;
        stream->avail_out = (uInt)room;
        result = inflate(stream, Z_NO_FLUSH);
        *got += room - stream->avail_out;
    }
    return result;
}

/* Whether the stream has ended as it should, given zlib's last result. */
static enum status check_end(const struct inflater *inflater, int result, struct error *err) {
    if (result == Z_BUF_ERROR)
        return error_set(err, STATUS_CORRUPT, "the gzip file is truncated");
    if (result != Z_STREAM_END)
        return error_set(err, STATUS_CORRUPT, "not a sound gzip file: %s",
                         inflater->stream.msg ? inflater->stream.msg : zError(result));
    if (inflater->stream.avail_in > 0 || inflater->in_bytes > 0)
        return error_set(err, STATUS_CORRUPT, "there are bytes after the end of the gzip data");
    return STATUS_OK;
}

static enum status inflate_file(struct inflater *inflater, uint8_t *out, size_t bytes, size_t *got,
                                bool *more, struct error *err) {
    uint8_t beyond;
    size_t beyond_bytes = 0;
    int result = inflate_into(inflater, out, bytes, got);
    if (result == Z_OK) /* full; one byte more decides between end, more and truncation */
        result = inflate_into(inflater, &beyond, 1, &beyond_bytes);
    *more = beyond_bytes > 0;
    return *more ? STATUS_OK : check_end(inflater, result, err);
}

enum status gzip_read(const char *path, void *out, size_t bytes, size_t *got, bool *more,
                      struct error *err) {
    struct file_map map;
    enum status status = file_map(&map, path, err);
    if (status)
        return status;
    struct inflater inflater = {.in = map.data, .in_bytes = map.len};
    if (inflateInit2(&inflater.stream, WINDOW_GZIP_ONLY) != Z_OK)
        status = error_set(err, STATUS_OUT_OF_MEMORY, "zlib cannot start");
    else
        status = inflate_file(&inflater, out, bytes, got, more, err);
    inflateEnd(&inflater.stream);
    file_unmap(&map);
    return error_wrap(err, status, "%s", path);
}

static enum status unpack(struct inflater *inflater, int fd, struct error *err) {
    size_t most = GZIP_MAP_BYTES + GZIP_MAP_RATIO * inflater->in_bytes, total = 0, got;
    uint8_t *buffer = xmalloc(UNPACK_BYTES);
    enum status status = STATUS_OK;
    int result = Z_OK;
    while (!status && result == Z_OK) {
        result = inflate_into(inflater, buffer, UNPACK_BYTES, &got);
        total += got;
        status = total > most
                     ? error_set(err, STATUS_TOO_LARGE,
                                 "it unpacks to more than %zu bytes; unpack it first", most)
                     : file_write_fd(fd, buffer, got, "a temporary file", err);
    }
    free(buffer);
    return status ? status : check_end(inflater, result, err);
}

enum status gzip_map(struct file_map *map, const char *path, struct error *err) {
    struct file_map packed;
    int fd = -1;
    enum status status = file_map(&packed, path, err);
    if (status)
        return status;
    struct inflater inflater = {.in = packed.data, .in_bytes = packed.len};
    status = file_open_nameless(&fd, err);
    if (!status && inflateInit2(&inflater.stream, WINDOW_GZIP_ONLY) != Z_OK)
        status = error_set(err, STATUS_OUT_OF_MEMORY, "zlib cannot start");
    if (!status)
        status = unpack(&inflater, fd, err);
    if (!status)
        status = file_map_fd(map, fd, path, err);
    inflateEnd(&inflater.stream);
    if (fd >= 0)
        close(fd);
    file_unmap(&packed);
    return error_wrap(err, status, "%s", path);
}

/* ---- in pieces ---- */

enum { PIECE_OUT_BYTES = 64 << 10 };

struct gunzip {
    struct inflater inflater;
    uint64_t in, out; /* bytes so far */
    int result;       /* zlib's last */
    uint8_t buffer[PIECE_OUT_BYTES];
};

enum status gunzip_create(struct gunzip **out, struct error *err) {
    struct gunzip *gunzip = xcalloc(1, sizeof *gunzip);
    *out = gunzip;
    if (inflateInit2(&gunzip->inflater.stream, WINDOW_GZIP_ONLY) == Z_OK)
        return STATUS_OK;
    return error_set(err, STATUS_OUT_OF_MEMORY, "zlib cannot start");
}

void gunzip_free(struct gunzip *gunzip) {
    if (gunzip)
        inflateEnd(&gunzip->inflater.stream);
    free(gunzip);
}

enum status gunzip_add(struct gunzip *gunzip, const uint8_t *bytes, size_t len,
                       gunzip_take_fn *take, void *ctx, struct error *err) {
    struct inflater *inflater = &gunzip->inflater;
    enum status status = STATUS_OK;
    size_t got = PIECE_OUT_BYTES;
    inflater->in = bytes;
    inflater->in_bytes = len;
    gunzip->in += len;
    while (!status && gunzip->result == Z_OK && got == PIECE_OUT_BYTES) {
        gunzip->result = inflate_into(inflater, gunzip->buffer, PIECE_OUT_BYTES, &got);
        gunzip->out += got;
        status =
            gunzip->out > GZIP_MAP_BYTES + GZIP_MAP_RATIO * gunzip->in
                ? error_set(err, STATUS_TOO_LARGE, "%llu bytes unpack to more than %llu",
                            (unsigned long long)gunzip->in, (unsigned long long)(gunzip->out - got))
                : take(ctx, gunzip->buffer, got, err);
    }
    if (gunzip->result == Z_BUF_ERROR) /* all that has come is unpacked */
        gunzip->result = Z_OK;
    return status || gunzip->result == Z_OK ? status : check_end(inflater, gunzip->result, err);
}

enum status gunzip_end(const struct gunzip *gunzip, struct error *err) {
    if (gunzip->result == Z_STREAM_END)
        return STATUS_OK;
    return error_set(err, STATUS_CORRUPT, "the gzip file is truncated");
}
