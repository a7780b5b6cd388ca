/*
 * encoded.h - pictures that stay JPEG or PNG: where each one lies, read and decoded when needed.
 *
 * They lie as files in a folder, in a tar archive, or one behind the other in an imported file.
 * Sizes differ from picture to picture. Each has the SHA-256 of its bytes, which is compared
 * whenever it is read, once it is known.
 *
 * Ownership: encoded_release frees; bytes that are not in files of a folder are borrowed from a
 *            map that must outlive it. A load is released by encoded_unload.
 * Errors:    CORRUPT begins with the picture's name; IO, OUT_OF_MEMORY, UNSUPPORTED (built without
 *            the image libraries).
 * Threads:   reading is for any number of threads at a time; building for one.
 */
#ifndef ENGINE_DATA_ENCODED_H
#define ENGINE_DATA_ENCODED_H

#include "engine/base/file.h"
#include "engine/base/sha256.h"
#include "engine/data/picture.h"

enum { ENCODED_MAX_ITEMS = 1 << 24, ENCODED_CHANNELS = 3 };

struct encoded_item {
    char *name;           /* below place; NULL in an imported file */
    const uint8_t *bytes; /* NULL: a file of the folder */
    size_t len;
};

struct encoded {
    char place[FILE_PATH_BYTES]; /* folder, archive or imported file, for reading and messages */
    struct encoded_item *item;   /* [count] */
    int64_t count, capacity;
    const uint8_t *digest; /* [count,SHA256_BYTES]; NULL: not known yet */
    uint8_t *own_digest;   /* the same, where they do not lie in a file */
};

/* Appends a picture; copies the name. */
MUST_CHECK enum status encoded_add(struct encoded *encoded, const char *name, const uint8_t *bytes,
                                   size_t len, struct error *err);

void encoded_release(struct encoded *encoded); /* Zeroed or filled. */

/* The bytes of a picture's file. */
struct encoded_load {
    const uint8_t *bytes;
    size_t len;
    char *owned;
};
MUST_CHECK enum status encoded_read(const struct encoded *encoded, int64_t index,
                                    struct encoded_load *load, struct error *err);
void encoded_unload(struct encoded_load *load); /* Zeroed or read. */

/* Reads and decodes a picture, which the caller releases. */
MUST_CHECK enum status encoded_decode(const struct encoded *encoded, int64_t index,
                                      struct picture *picture, struct error *err);

/* Puts "<place>/<name>: " in front of a failure's message, and makes a wrong value CORRUPT. */
enum status encoded_blame(const struct encoded *encoded, int64_t index, enum status status,
                          struct error *err);

#endif
