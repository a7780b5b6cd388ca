/*
 * formats.h - what reading a format and checking it while it arrives have in common; for the files
 * of engine/data only.
 *
 * Errors:  CORRUPT without the name of the file, which the caller puts in front.
 * Threads: pure functions.
 */
#ifndef ENGINE_DATA_FORMATS_H
#define ENGINE_DATA_FORMATS_H

#include "engine/data/dataset_internal.h"

/* ---- IDX ---- */

enum { IDX_IMAGES_RANK = 3, IDX_LABELS_RANK = 1 };
#define IDX_HEADER_BYTES(rank) (4 + 4 * (size_t)(rank))

struct idx_header {
    int64_t dim[IDX_IMAGES_RANK];
    size_t bytes, data_bytes; /* of the header, and of what it promises behind it */
};

/* Reads the header of a file of bytes of this rank. */
MUST_CHECK enum status idx_read_header(struct idx_header *idx, const uint8_t *header, size_t len,
                                       int rank, struct error *err);

/* ---- CIFAR binaries: rows of label bytes, the last of which counts, and a picture ---- */

enum { CIFAR_PICTURE_BYTES = 3 * 32 * 32, CIFAR_MAX_LABEL_BYTES = 2 };

struct cifar_layout {
    int label_bytes, classes;
};
extern const struct cifar_layout cifar10_layout, cifar100_layout;

/* The label of a row that begins with these bytes. */
MUST_CHECK enum status cifar_read_label(const struct cifar_layout *layout, const uint8_t *row,
                                        int64_t index, int32_t *label, struct error *err);

/* ---- safetensors ---- */

struct safetensors;
struct tensor;

/* Finds pictures and labels and checks their types and shapes; their bytes are not looked at. */
MUST_CHECK enum status tensors_check(const struct safetensors *file, const struct tensor **labels,
                                     struct error *err);

/* The label number index of labels of this type, whose bytes may be unaligned. */
MUST_CHECK enum status tensors_read_label(const struct tensor *labels, const uint8_t *bytes,
                                          int64_t index, int32_t *label, struct error *err);

#endif
