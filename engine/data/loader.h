/*
 * loader.h - the batches of a run, made ahead of it by threads of its own.
 *
 * Batch k of an epoch holds the pictures k * batch ... of that epoch's order; the last one of an
 * epoch is smaller when the split is no multiple. Batches are numbered through all epochs, so that
 * a run can begin anywhere. What is in a batch is a pure function of the plan and its number: every
 * random decision depends on data seed, epoch and the picture's index alone, never on threads or
 * time.
 *
 * A few batches are made ahead (a ring); the threads wait while it is full. Without threads a batch
 * is made when it is asked for: pictures that are only copied need none.
 *
 * Ownership: data set and split must outlive the loader. A batch is valid until the next call.
 * Errors:    a picture that cannot be read fails the batch it is in, with its name; of several the
 *            first one in the batch. OUT_OF_MEMORY.
 * Threads:   one thread takes batches; loader_free may be called at any time by it.
 */
#ifndef ENGINE_DATA_LOADER_H
#define ENGINE_DATA_LOADER_H

#include "engine/data/augment.h"
#include "engine/data/dataset.h"
#include "engine/data/input.h"

struct loader_plan {
    const struct dataset *dataset;
    const struct split *split; /* of it */
    struct input input;        /* what the pictures become */
    int batch;
    int64_t first, end; /* numbers of the first batch and of the one behind the last */
    uint64_t data_seed;
    bool shuffle;           /* each epoch has an order of its own */
    bool crop, mirror;      /* RandomResizedCrop in place of the input's resizing; at random */
    struct augment augment; /* behind them */
    int threads;
};

struct loader_batch {
    const uint8_t *images; /* [plan.batch,h,w,c]; what stands behind rows is of no meaning */
    const int32_t *labels, *indices; /* the same; indices are places in the split */
    int rows;
    uint32_t epoch; /* from 1 */
};

/* Where the batch of a number stands. */
struct loader_place {
    uint32_t epoch; /* from 1 */
    int64_t first;  /* place of its first picture in the epoch's order */
    int rows;
};

struct loader;

/* Threads that decode: one a processor where pictures must be worked on, else none. */
int loader_threads(const struct loader_plan *plan);

/* Are pictures in memory taken as they are? A batch is nothing but rows of the split then. */
bool loader_copies(const struct loader_plan *plan);

int64_t loader_batches(int64_t count, int batch); /* Of an epoch. */

/* Where batch `number` of a split of count pictures stands. */
struct loader_place loader_place(int64_t count, int batch, int64_t number);

/* order[split->count] becomes the places in the split of an epoch's pictures, in their order. */
void loader_order(const struct loader_plan *plan, uint32_t epoch, int32_t *order);

size_t loader_bytes(const struct loader_plan *plan); /* Of the pictures made ahead. */

/* Starts the threads. */
MUST_CHECK enum status loader_create(struct loader **out, const struct loader_plan *plan,
                                     struct error *err);

/* The next batch; not to be called behind the last one. After a failure the loader can only be
 * freed. */
MUST_CHECK enum status loader_next(struct loader *loader, struct loader_batch *batch,
                                   struct error *err);

void loader_free(struct loader *loader); /* Ends the threads; NULL is allowed. */

#endif
