/*
 * safetensors.h - reads and writes the safetensors format.
 *
 * A file is an 8-byte little-endian header length, a JSON header, and the tensors' bytes. The
 * reader maps the file and checks everything before it hands out a pointer: header at most
 * 16 MiB, offsets that tile the buffer without holes or overlaps, shape products without
 * overflow, sizes equal to shape times dtype, no duplicate names.
 *
 * Ownership: tensors, names and data belong to the opened file.
 * Errors:    CORRUPT with what is wrong; file errors as in file.h.
 */
#ifndef ENGINE_BASE_SAFETENSORS_H
#define ENGINE_BASE_SAFETENSORS_H

#include "engine/base/file.h"

enum { TENSOR_MAX_RANK = 8, SAFETENSORS_MAX_TENSORS = 100000 };
enum { SAFETENSORS_MAX_HEADER_BYTES = 16 << 20 };

/* name in the file, bytes of an element */
#define TENSOR_TYPE_MAP(X)                                                                         \
    X(BOOL, 1)                                                                                     \
    X(U8, 1)                                                                                       \
    X(I8, 1)                                                                                       \
    X(U16, 2)                                                                                      \
    X(I16, 2)                                                                                      \
    X(F16, 2)                                                                                      \
    X(BF16, 2)                                                                                     \
    X(U32, 4)                                                                                      \
    X(I32, 4)                                                                                      \
    X(F32, 4)                                                                                      \
    X(U64, 8)                                                                                      \
    X(I64, 8)                                                                                      \
    X(F64, 8)

enum tensor_type {
#define TENSOR_ENUM(name, bytes) TENSOR_##name,
    TENSOR_TYPE_MAP(TENSOR_ENUM)
#undef TENSOR_ENUM
        TENSOR_TYPE_COUNT
};

struct tensor {
    const char *name;
    enum tensor_type type;
    int rank;
    int64_t dim[TENSOR_MAX_RANK];
    const void *data; /* row-major, little-endian; may be unaligned */
    size_t bytes;
};

struct safetensors {
    struct file_map map;
    struct arena arena;
    struct tensor *tensors;        /* in the order of their data */
    const struct tensor **by_name; /* the same, sorted by name */
    size_t count;
    const struct json *metadata; /* object of strings, or NULL */
};

/* Opens and checks a whole file. */
MUST_CHECK enum status safetensors_open(struct safetensors *file, const char *path,
                                        struct error *err);

/* Checks the bytes of a file already in memory, which must stay valid; release with close. */
MUST_CHECK enum status safetensors_parse(struct safetensors *file, const void *bytes, size_t len,
                                         struct error *err);

/* Checks the header alone, the JSON text, of a file that is not there as a whole. The tensors' data
 * are places, counted from the text, and nothing to read; *data_bytes is what follows the header.
 */
enum { SAFETENSORS_LENGTH_BYTES = 8 };
MUST_CHECK enum status safetensors_parse_header(struct safetensors *file, const char *text,
                                                size_t len, uint64_t *data_bytes,
                                                struct error *err);

/* Length of the header that a file of file_bytes (SIZE_MAX: not known) begins with, checked. */
MUST_CHECK enum status safetensors_header_bytes(const uint8_t *bytes, size_t file_bytes,
                                                size_t *len, struct error *err);

void safetensors_close(struct safetensors *file); /* Zeroed or open. */

/* The tensor of that name, or NULL. */
const struct tensor *safetensors_find(const struct safetensors *file, const char *name);

/* The metadata string of that name, or NULL. */
const char *safetensors_metadata(const struct safetensors *file, const char *key);

/* Elements of a tensor (its shape was checked on opening, or is the caller's). */
int64_t tensor_elements(const struct tensor *tensor);

/* Bytes that type and shape ask for; false when a size is negative or the product with any of them
 * passes INT64_MAX, even where a later size is 0. */
bool tensor_shape_bytes(const struct tensor *tensor, size_t *bytes);

size_t tensor_type_bytes(enum tensor_type type);     /* Bytes of one element. */
const char *tensor_type_name(enum tensor_type type); /* "F32". */

/* Converts an F32, F16, BF16 or F64 tensor to floats; UNSUPPORTED for other types. */
MUST_CHECK enum status tensor_to_f32(const struct tensor *tensor, float *out, struct error *err);

/* An integer of an I32 or I64 tensor, at any address. */
int64_t tensor_integer(enum tensor_type type, const void *at);

/* One key and value of the metadata. */
struct safetensors_note {
    const char *key, *value;
};

/* Writes tensors in the given order, atomically and durably. Equal input gives equal bytes. */
MUST_CHECK enum status safetensors_write(const char *path, const struct tensor *tensors,
                                         size_t count, const struct safetensors_note *notes,
                                         size_t n_notes, struct error *err);

/* The same for data that is not in one piece: opens the file and writes what stands in front of the
 * data (which is not looked at). The caller adds the tensors' bytes in order and commits. */
MUST_CHECK enum status safetensors_begin(struct file_writer *writer, const char *path,
                                         const struct tensor *tensors, size_t count,
                                         struct error *err);

#endif
