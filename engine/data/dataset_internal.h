/*
 * dataset_internal.h - what the readers of the formats share; for the files of engine/data only.
 *
 * A reader fills shape and splits of a zeroed data set and puts what it allocates into
 * dataset->storage, so that dataset_close frees it also after a failure. It checks files and
 * sizes; classes, label range, statistics and digest are dataset.c's part.
 *
 * Errors:  as in dataset.h; a message begins with the path of the file.
 * Threads: none are started; a data set being opened belongs to the caller.
 */
#ifndef ENGINE_DATA_DATASET_INTERNAL_H
#define ENGINE_DATA_DATASET_INTERNAL_H

#include "engine/data/dataset.h"

enum { DATASET_MAX_SIDE = 16384 };

enum part { PART_TRAIN, PART_TEST, PART_COUNT };

/* Indices into dataset->storage. Each is for PART_TRAIN; the next one, + PART_TEST, is for that
 * part. */
enum storage {
    STORAGE_IMAGES = 0,  /* mem_alloc_large */
    STORAGE_LABELS = 2,  /* mem_alloc_large */
    STORAGE_MAP = 4,     /* struct file_map on the heap */
    STORAGE_TENSORS = 6, /* struct safetensors on the heap */
    STORAGE_ENCODED = 8, /* struct encoded on the heap */
};

/* "train" or "test". */
const char *part_name(enum part part);

/* The split of that part. */
struct split *dataset_split(struct dataset *dataset, enum part part);

/* Large memory that dataset_close frees, at that place in the storage; what is for messages. */
MUST_CHECK enum status dataset_alloc(struct dataset *dataset, int place, size_t bytes,
                                     const char *what, struct error *err);

/* Allocates the labels of a part, which has count pictures, and sets its count. */
MUST_CHECK enum status dataset_alloc_labels(struct dataset *dataset, enum part part, int64_t count,
                                            int32_t **labels, struct error *err);

/* Takes over the shape of the first part and checks that the second has the same. */
MUST_CHECK enum status dataset_set_shape(struct dataset *dataset, enum part part,
                                         const int64_t shape[3], struct error *err);

/* Readers: the folder holds the format's files. */
MUST_CHECK enum status cifar10_open(struct dataset *dataset, const char *folder,
                                    struct error *err); /* data_batch_1..5.bin, test_batch.bin */
MUST_CHECK enum status cifar100_open(struct dataset *dataset, const char *folder,
                                     struct error *err); /* train.bin, test.bin */
MUST_CHECK enum status idx_open(struct dataset *dataset, const char *folder,
                                struct error *err); /* train-*, t10k-* */
MUST_CHECK enum status tensors_open(struct dataset *dataset, const char *folder,
                                    struct error *err); /* train.safetensors, test.safetensors */
MUST_CHECK enum status images_open(struct dataset *dataset, const char *folder,
                                   struct error *err); /* train, and test or val (images.h) */

/* Reads class names, one a line, from a file into a new array; blank lines do not count. */
MUST_CHECK enum status classes_read(const char *path, char ***names, int *count, struct error *err);

/* Mean and deviation over the training split, by channel, from an exact histogram. */
void dataset_measure(struct dataset *dataset);

/* Sets dataset->sha256 from shape, pictures and labels. */
void dataset_digest(struct dataset *dataset);

/* What dataset_write noted in dataset.json: takes mean and deviation from there (*found becomes
 * true) and compares the digest, CORRUPT when it differs. A missing file is fine. */
MUST_CHECK enum status dataset_read_note(struct dataset *dataset, const char *folder, bool *found,
                                         struct error *err);

#endif
