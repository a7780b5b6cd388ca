/*
 * tar.h - the regular files of a tar archive in memory, where they lie; nothing is unpacked. Below
 * that, header by header, for an archive that is not there as a whole.
 *
 * Reads ustar, GNU (long names, large sizes) and pax archives. Folders and volume labels are passed
 * over. Refused, because a data set has no use for them or they hide something: links, devices,
 * sparse files and parts of several volumes; names that are absolute, hold "..", or are longer than
 * FILE_PATH_BYTES; wrong checksums; an archive that ends without its end marker, as a cut one does.
 * A leading "./" and doubled slashes are taken out of names. Whether a name occurs twice is the
 * caller's to check.
 *
 * Ownership: the reader borrows the bytes; an entry's name is valid until the next call.
 * Errors:    CORRUPT, with the entry's name or its place.
 * Threads:   a reader belongs to one thread.
 */
#ifndef ENGINE_DATA_TAR_H
#define ENGINE_DATA_TAR_H

#include "engine/base/file.h"

/* What headers have said so far; tar_headers_init. */
struct tar_headers {
    char name[FILE_PATH_BYTES]; /* of the entry, cleaned */
    /* what the headers before an entry's own have said about it */
    char next_name[FILE_PATH_BYTES]; /* "" for nothing */
    uint64_t next_size;              /* UINT64_MAX for nothing */
};

struct tar {
    const uint8_t *bytes;
    size_t len, at; /* at: of the next header */
    struct tar_headers headers;
};

struct tar_entry {
    const char *name;
    const uint8_t *data;
    size_t len;
};

/* Starts at the first entry of an archive's bytes. */
void tar_init(struct tar *tar, const void *bytes, size_t len);

/* The next regular file; *more is false at the end of the archive. */
MUST_CHECK enum status tar_next(struct tar *tar, struct tar_entry *entry, bool *more,
                                struct error *err);

/* The file, or a folder that it lies in, has a name that begins with a dot. */
bool tar_is_hidden(const struct tar_entry *entry);

/* ---- header by header ---- */

enum { TAR_BLOCK = 512 };

/* What follows a header: data of so many bytes, filled up to whole blocks. */
enum tar_kind {
    TAR_FILE,      /* of the file headers->name */
    TAR_PASS_OVER, /* of no interest */
    TAR_NAME,      /* for tar_read_extra */
    TAR_RECORDS,   /* for tar_read_extra */
    TAR_REFUSED,   /* never handed out */
    TAR_END        /* nothing: the end marker */
};

void tar_headers_init(struct tar_headers *headers); /* Nothing has been said. */

/* Reads a header of TAR_BLOCK bytes, which stands at this place in the archive. */
MUST_CHECK enum status tar_read_header(struct tar_headers *headers, const uint8_t *header,
                                       uint64_t at, enum tar_kind *kind, uint64_t *size,
                                       struct error *err);

/* Reads the data of TAR_NAME or TAR_RECORDS, which is about the entry that comes next. */
MUST_CHECK enum status tar_read_extra(struct tar_headers *headers, enum tar_kind kind,
                                      const uint8_t *data, size_t len, struct error *err);

#endif
