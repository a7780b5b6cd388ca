#include "engine/data/loader.h"

#include "engine/base/parallel.h"
#include "engine/data/encoded.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* One batch is with the trainer, the others are being made. Without threads there is one. */
enum { SLOTS = 4 };

static int slots_of(const struct loader_plan *plan) {
    return plan->threads ? SLOTS : 1;
}

struct slot {
    uint8_t *images;
    int32_t *labels, *indices;
    uint32_t epoch;
    int rows, begun, done;
    int failed_row; /* the first one, or rows */
    enum status status;
    struct error err;
};

/* What a thread keeps from picture to picture. */
struct hand {
    struct loader *loader;
    struct resampler resampler;
    struct augmenter augmenter;
    pthread_t thread;
};

struct loader {
    struct loader_plan plan;
    struct slot slot[SLOTS];
    int slots;                  /* that are used */
    struct hand *hand;          /* [threads], at least one */
    int threads;                /* that run */
    pthread_mutex_t lock;       /* of all that follows, and of the slots' numbers */
    pthread_cond_t work, ready; /* there is something to make; a batch is whole */
    int64_t opened, taken;      /* numbers of the next batch to begin and of the next to hand out */
    int32_t *order;             /* [split->count] of order_epoch */
    uint32_t order_epoch;
    bool stopping;
};

int64_t loader_batches(int64_t count, int batch) {
    return (count + batch - 1) / batch;
}

struct loader_place loader_place(int64_t count, int batch, int64_t number) {
    int64_t per_epoch = loader_batches(count, batch), first = number % per_epoch * batch;
    return (struct loader_place){.epoch = (uint32_t)(number / per_epoch) + 1,
                                 .first = first,
                                 .rows = (int)(count - first < batch ? count - first : batch)};
}

void loader_order(const struct loader_plan *plan, uint32_t epoch, int32_t *order) {
    int64_t count = plan->split->count;
    if (plan->shuffle)
        dataset_shuffle(order, count, plan->data_seed, epoch);
    else
        for (int64_t i = 0; i < count; i++)
            order[i] = (int32_t)i;
}

size_t loader_bytes(const struct loader_plan *plan) {
    return (size_t)slots_of(plan) * (size_t)plan->batch * input_bytes(&plan->input);
}

static bool is_copied(const struct loader_plan *plan) {
    const struct dataset *dataset = plan->dataset;
    const struct input *input = &plan->input;
    return plan->split->images && input->height == dataset->height &&
           input->width == dataset->width && input->channels == dataset->channels &&
           !input->shorter && !plan->crop;
}

bool loader_copies(const struct loader_plan *plan) {
    return is_copied(plan) && !plan->mirror && !plan->augment.rand_augment &&
           plan->augment.erase == 0;
}

int loader_threads(const struct loader_plan *plan) {
    return loader_copies(plan) ? 0 : parallel_processors();
}

/* ---- one picture ---- */

/* Pixels of a picture in memory, which are only read. */
static struct picture borrow(const struct loader_plan *plan, int64_t index) {
    const struct dataset *dataset = plan->dataset;
    size_t bytes = (size_t)dataset->height * (size_t)dataset->width * (size_t)dataset->channels;
    const uint8_t *pixels = plan->split->images + (size_t)index * bytes;
    return (struct picture){dataset->height, dataset->width, dataset->channels,
                            (uint8_t *)(uintptr_t)pixels};
}

static enum status resize(struct hand *hand, const struct augment_key *key,
                          const struct picture *picture, uint8_t *out, struct error *err) {
    const struct loader_plan *plan = &hand->loader->plan;
    const struct input *input = &plan->input;
    if (!plan->crop)
        return input_take(input, &hand->resampler, picture, out, err);
    struct box crop = augment_crop(key, picture->height, picture->width);
    struct resample how = resample_crop(crop, input->height, input->channels, input->filter);
    return picture_resample(&hand->resampler, picture, &how, out, err);
}

static enum status take_pixels(struct hand *hand, const struct augment_key *key, uint8_t *out,
                               struct error *err) {
    const struct loader_plan *plan = &hand->loader->plan;
    const struct encoded *encoded = plan->split->encoded;
    struct picture picture;
    if (!encoded) {
        picture = borrow(plan, key->index);
        if (!is_copied(plan))
            return resize(hand, key, &picture, out, err);
        memcpy(out, picture.pixels, input_bytes(&plan->input));
        return STATUS_OK;
    }
    enum status status = encoded_decode(encoded, key->index, &picture, err);
    if (status)
        return status;
    status = encoded_blame(encoded, key->index, resize(hand, key, &picture, out, err), err);
    picture_release(&picture);
    return status;
}

static enum status make_row(struct hand *hand, const struct slot *slot, int row,
                            struct error *err) {
    const struct loader_plan *plan = &hand->loader->plan;
    const struct input *input = &plan->input;
    uint8_t *out = slot->images + (size_t)row * input_bytes(input);
    struct augment_key key = {plan->data_seed, slot->epoch, (uint32_t)slot->indices[row]};
    enum status status = take_pixels(hand, &key, out, err);
    if (status)
        return status;
    struct picture pixels = {input->height, input->width, input->channels, out};
    if (plan->mirror && augment_mirrors(&key))
        pixels_mirror(&pixels);
    if (plan->augment.rand_augment || plan->augment.erase > 0)
        augmenter_apply(&hand->augmenter, &plan->augment, &key, &pixels);
    return STATUS_OK;
}

/* ---- batches ---- */

static void order_epoch(struct loader *loader, uint32_t epoch) {
    if (loader->order_epoch == epoch)
        return;
    loader_order(&loader->plan, epoch, loader->order);
    loader->order_epoch = epoch;
}

static void open_slot(struct loader *loader) {
    const struct loader_plan *plan = &loader->plan;
    struct slot *slot = &loader->slot[loader->opened % loader->slots];
    struct loader_place place = loader_place(plan->split->count, plan->batch, loader->opened);
    slot->epoch = place.epoch;
    slot->rows = place.rows;
    slot->begun = slot->done = 0;
    slot->failed_row = slot->rows;
    slot->status = STATUS_OK;
    order_epoch(loader, slot->epoch);
    memcpy(slot->indices, loader->order + place.first, (size_t)slot->rows * sizeof *slot->indices);
    for (int row = 0; row < slot->rows; row++)
        slot->labels[row] = plan->split->labels[slot->indices[row]];
    loader->opened++;
}

/* A row to make, or NULL when the ring is full or all is begun. */
static struct slot *claim_row(struct loader *loader, int *row) {
    struct slot *slot = &loader->slot[(loader->opened + loader->slots - 1) % loader->slots];
    if (slot->begun == slot->rows) {
        /* the batch before `taken` is still with the trainer */
        if (loader->opened == loader->plan.end ||
            loader->opened - loader->taken >= loader->slots - 1)
            return NULL;
        open_slot(loader);
        slot = &loader->slot[(loader->opened - 1) % loader->slots];
    }
    *row = slot->begun++;
    return slot;
}

static void finish_row(struct slot *slot, int row, enum status status, const struct error *err) {
    slot->done++;
    if (!status || row >= slot->failed_row)
        return;
    slot->failed_row = row;
    slot->status = status;
    slot->err = *err;
}

static void *run_hand(void *ctx) {
    struct hand *hand = ctx;
    struct loader *loader = hand->loader;
    pthread_mutex_lock(&loader->lock);
    while (!loader->stopping) {
        struct error err;
        int row;
        struct slot *slot = claim_row(loader, &row);
        if (!slot) {
            pthread_cond_wait(&loader->work, &loader->lock);
            continue;
        }
        pthread_mutex_unlock(&loader->lock);
        enum status status = make_row(hand, slot, row, &err);
        pthread_mutex_lock(&loader->lock);
        finish_row(slot, row, status, &err);
        if (slot->done == slot->rows)
            pthread_cond_signal(&loader->ready);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* Without threads: all rows of the next batch, here and now. */
static void make_batch(struct loader *loader, struct slot *slot) {
    struct error err;
    open_slot(loader);
    while (slot->begun < slot->rows) {
        int row = slot->begun++;
        enum status status = make_row(&loader->hand[0], slot, row, &err);
        finish_row(slot, row, status, &err);
    }
}

enum status loader_next(struct loader *loader, struct loader_batch *batch, struct error *err) {
    struct slot *slot = &loader->slot[loader->taken % loader->slots];
    CHECK(loader->taken < loader->plan.end);
    if (!loader->threads) {
        make_batch(loader, slot);
        loader->taken++;
    } else {
        pthread_mutex_lock(&loader->lock);
        while (loader->opened <= loader->taken || slot->done < slot->rows)
            pthread_cond_wait(&loader->ready, &loader->lock);
        loader->taken++;
        pthread_cond_broadcast(&loader->work);
        pthread_mutex_unlock(&loader->lock);
    }
    if (slot->status && err)
        *err = slot->err;
    *batch =
        (struct loader_batch){slot->images, slot->labels, slot->indices, slot->rows, slot->epoch};
    return slot->status;
}

/* ---- life ---- */

static enum status alloc_slots(struct loader *loader, struct error *err) {
    const struct loader_plan *plan = &loader->plan;
    size_t rows = (size_t)plan->batch, bytes = rows * input_bytes(&plan->input);
    enum status status = STATUS_OK;
    for (int i = 0; i < loader->slots && !status; i++) {
        struct slot *slot = &loader->slot[i];
        status = mem_alloc_large((void **)&slot->images, bytes, "a batch of pictures", err);
        slot->labels = xcalloc(rows, sizeof *slot->labels);
        slot->indices = xcalloc(rows, sizeof *slot->indices);
    }
    return status;
}

/* If no thread can be started batches are made by the caller, more slowly but the same. */
static void start(struct loader *loader) {
    int wanted = loader->plan.threads;
    loader->hand = xcalloc(wanted > 0 ? (size_t)wanted : 1, sizeof *loader->hand);
    loader->hand[0].loader = loader;
    pthread_mutex_lock(&loader->lock); /* none runs before their number is known */
    for (int i = 0; i < wanted; i++) {
        struct hand *hand = &loader->hand[i];
        hand->loader = loader;
        if (pthread_create(&hand->thread, NULL, run_hand, hand) != 0)
            break;
        loader->threads++;
    }
    pthread_mutex_unlock(&loader->lock);
}

enum status loader_create(struct loader **out, const struct loader_plan *plan, struct error *err) {
    struct loader *loader = xcalloc(1, sizeof *loader);
    loader->plan = *plan;
    loader->slots = slots_of(plan);
    loader->opened = loader->taken = plan->first;
    loader->order = xcalloc((size_t)plan->split->count, sizeof *loader->order);
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->work, NULL);
    pthread_cond_init(&loader->ready, NULL);
    enum status status = alloc_slots(loader, err);
    if (status) {
        loader_free(loader);
        loader = NULL;
    } else {
        start(loader);
    }
    *out = loader;
    return status;
}

void loader_free(struct loader *loader) {
    if (!loader)
        return;
    pthread_mutex_lock(&loader->lock);
    loader->stopping = true;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->threads; i++)
        pthread_join(loader->hand[i].thread, NULL);
    for (int i = 0; loader->hand && (i == 0 || i < loader->plan.threads); i++) {
        resampler_release(&loader->hand[i].resampler);
        augmenter_release(&loader->hand[i].augmenter);
    }
    for (int i = 0; i < SLOTS; i++) {
        mem_free_large(loader->slot[i].images);
        free(loader->slot[i].labels);
        free(loader->slot[i].indices);
    }
    pthread_mutex_destroy(&loader->lock);
    pthread_cond_destroy(&loader->work);
    pthread_cond_destroy(&loader->ready);
    free(loader->hand);
    free(loader->order);
    free(loader);
}
