/*
 * incoming.h - checks a file of a data set while it arrives, so that a wrong one is refused early.
 *
 * Which files there are is a table: the standard names of each format, and a whole folder as one
 * archive. Looked at are magic numbers, headers, labels, sizes, an archive's names, types and
 * checksums, and how far gzip expands; not pictures, classes, and names that come twice: opening
 * the data set checks all of that, and everything again.
 *
 *     incoming_begin(&incoming, incoming_find("train.bin"), NULL, &err);
 *     incoming_add(...) as often as needed, incoming_end(...); incoming_release(&incoming);
 *
 * A check can be broken off and taken up again, also by another process, at the place that its
 * state says: see incoming_state.
 *
 * Ownership: memory of a constant size, and what a header needs (at most 16 MiB); incoming_release.
 * Errors:    CORRUPT or TOO_LARGE with the place in the file, UNSUPPORTED (no zlib).
 * Threads:   an incoming file belongs to one thread.
 */
#ifndef ENGINE_DATA_INCOMING_H
#define ENGINE_DATA_INCOMING_H

#include "engine/base/str.h"
#include "engine/data/tar.h"

struct incoming_kind;

/* The kind of a file by its name, or NULL: no data set has such a file. */
const struct incoming_kind *incoming_find(const char *name);

/* Which names there are, in words. */
#define INCOMING_NAMES                                                                             \
    "data_batch_1.bin to data_batch_5.bin, test_batch.bin, train.bin, test.bin, "                  \
    "train-images-idx3-ubyte and the other three of IDX (or .gz), train.safetensors, "             \
    "test.safetensors, train, test, val or dataset with .tar, .tar.gz or .tgz, classes.txt"

/* The part of a check that can be kept: bytes, to be written and read back by the same program. */
struct incoming_state {
    uint64_t file_bytes; /* bytes of the file so far */
    uint64_t at;         /* bytes of its content so far, which are more where it is packed */
    uint64_t skip;       /* the next bytes of the content, which are not looked at */
    uint32_t want, have; /* the bytes after those, looked at together; how many block holds */
    uint8_t block[TAR_BLOCK];
    union {
        struct {
            uint64_t left, behind; /* labels, and bytes after the last of them */
            int64_t count;
            int type; /* enum tensor_type */
        } labels;
        struct {
            struct tar_headers headers;
            enum tar_kind kind;
            int64_t entries;
        } tar;
    } of;
};

struct incoming {
    const struct incoming_kind *kind;
    struct incoming_state state;
    struct str text; /* in place of the block, for what is longer */
    struct gunzip *gunzip;
};

/* Starts at the beginning (state NULL) or where a state ends; incoming_release is then due. */
MUST_CHECK enum status incoming_begin(struct incoming *incoming, const struct incoming_kind *kind,
                                      const struct incoming_state *state, struct error *err);

/* Checks the bytes that come next. */
MUST_CHECK enum status incoming_add(struct incoming *incoming, const void *bytes, size_t len,
                                    struct error *err);

/* The file may end here. */
MUST_CHECK enum status incoming_end(const struct incoming *incoming, struct error *err);

/* The check can be taken up later at its state; not within a long header, or in gzip. */
bool incoming_can_pause(const struct incoming *incoming);

void incoming_release(struct incoming *incoming); /* Zeroed or begun. */

#endif
