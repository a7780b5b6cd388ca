/*
 * dataset.h - labelled pictures, from CIFAR binaries, IDX files, safetensors, or JPEG and PNG
 * files.
 *
 * A data set is a folder: CIFAR-10/100 binaries or IDX files (also .gz) under their standard
 * names, or train.safetensors and test.safetensors with `images` (u8, n,h,w,c) and `labels`
 * (i64 or i32, n); or train and test (or val), each a folder, .tar or .tar.gz with a folder of JPEG
 * and PNG files for each class. The latter stay encoded and differ in size (encoded.h): opening
 * them reads and decodes every one, unless dataset_write has checked them already. classes.txt, one
 * name a line, names the classes; known sets bring their names and their published mean and
 * deviation, for others both are computed over the training split. A dataset.json that
 * dataset_write left keeps them, and its digest is compared on opening.
 *
 * Ownership: dataset_open fills caller's storage; dataset_close frees it. Pictures may be mapped
 *            from the file, so files must not change while open.
 * Errors:    NOT_FOUND (nothing recognisable in the folder: the message lists what is looked
 *            for), CORRUPT (truncated, wrong magic, label out of range; with file and place),
 *            OUT_OF_MEMORY.
 * Threads:   immutable once open.
 */
#ifndef ENGINE_DATA_DATASET_H
#define ENGINE_DATA_DATASET_H

#include "engine/base/file.h"
#include "engine/base/sha256.h"

#define DATASET_IMAGES "images" /* format of encoded pictures */

enum { DATASET_MAX_CHANNELS = 4, DATASET_MAX_CLASSES = 65536, DATASET_NAME_BYTES = 64 };

struct split {
    int64_t count;
    const uint8_t *images;         /* [count,h,w,c]; NULL: they are encoded */
    const struct encoded *encoded; /* the first count of it; or NULL */
    const int32_t *labels;         /* [count], each in 0..classes-1 */
};

struct dataset {
    char format[16];   /* "cifar10", "cifar100", "idx", "safetensors", "images" */
    int height, width; /* 0 where sizes differ: encoded pictures */
    int channels, classes;
    float mean[DATASET_MAX_CHANNELS], deviation[DATASET_MAX_CHANNELS]; /* of pixels in 0..1 */
    char **class_names;                                                /* [classes] */
    struct split train, test;
    char sha256[SHA256_HEX_BYTES]; /* of shape, pictures and labels: the same for every format */
    void *storage[10];             /* private */
};

/* Opens the data set of a folder; checks everything. name ("cifar100", "fashion_mnist", or any)
 * only serves to recognise known sets; where it is NULL or unknown the folder's own name does. */
MUST_CHECK enum status dataset_open(struct dataset *dataset, const char *folder, const char *name,
                                    struct error *err);

/* Follows an opening that looks at every JPEG and PNG file. */
struct dataset_watch {
    void *ctx;
    /* Called now and then by the thread that opens; false ends it with CANCELLED. */
    bool (*go_on)(void *ctx, int64_t checked, int64_t count);
};

/* The same, followed by watch (or NULL). */
MUST_CHECK enum status dataset_open_watched(struct dataset *dataset, const char *folder,
                                            const char *name, const struct dataset_watch *watch,
                                            struct error *err);

void dataset_close(struct dataset *dataset); /* Zeroed or open. */

/* Cuts a split to its first limit pictures (0: leaves it whole). */
void split_limit(struct split *split, int64_t limit);

/* Copies an opened data set into folder as train.safetensors, test.safetensors, classes.txt and
 * dataset.json, each atomically. */
MUST_CHECK enum status dataset_write(const struct dataset *dataset, const char *folder,
                                     struct error *err);

/* order[0..count-1] becomes the permutation of this epoch: a pure function of seed and epoch. */
void dataset_shuffle(int32_t *order, int64_t count, uint64_t seed, uint32_t epoch);

#endif
