#include "engine/session/batcher.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Pictures of one request in a batch. */
struct slice {
    struct batch_request *request;
    int first, count;
};

/* A thread with its predictor. */
struct runner {
    struct batcher *batcher;
    struct predictor *predictor;
    pthread_t thread;
    uint8_t *pictures; /* [most,h,w,c] of the batch */
    float *logits;     /* [most,classes] */
    struct slice slice[PREDICTOR_MAX_BATCH];
    int slices, count; /* pictures */
    bool is_lone;      /* nothing else waits or runs */
};

struct batcher {
    struct batcher_predictors predictors;
    size_t picture_bytes;
    int classes, queue_limit;
    struct runner runner[BATCHER_MAX_PREDICTORS];
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    struct batch_request *head, **tail; /* oldest first; the first may be taken in part */
    int waiting;                        /* pictures in the queue */
    int running;                        /* threads with a batch */
    bool stopping;
};

void batcher_predictors_free(struct batcher_predictors *predictors) {
    predictor_free(predictors->lone);
    for (int i = predictors->count - 1; i >= 0; i--) /* the first outlives its twins */
        predictor_free(predictors->each[i]);
}

/* ---- a batch ---- */

static void take_slice(struct batcher *batcher, struct runner *runner, int most) {
    struct batch_request *request = batcher->head;
    int rest = request->count - request->taken;
    struct slice slice = {request, request->taken, rest < most ? rest : most};
    request->taken += slice.count;
    runner->slice[runner->slices++] = slice;
    runner->count += slice.count;
    batcher->waiting -= slice.count;
    if (request->taken < request->count)
        return;
    batcher->head = request->next;
    if (!batcher->head)
        batcher->tail = &batcher->head;
}

/* The oldest pictures: this thread's share of all that wait, at most a batch. Waits for the first;
 * false when stopping and all is done. */
static bool take_batch(struct batcher *batcher, struct runner *runner) {
    runner->slices = runner->count = 0;
    pthread_mutex_lock(&batcher->lock);
    while (!batcher->head && !batcher->stopping)
        pthread_cond_wait(&batcher->changed, &batcher->lock);
    int runners = batcher->predictors.count, share = (batcher->waiting + runners - 1) / runners;
    int most = share < batcher->predictors.most ? share : batcher->predictors.most;
    while (batcher->head && runner->count < most)
        take_slice(batcher, runner, most - runner->count);
    runner->is_lone = runner->count == 1 && !batcher->head && !batcher->running;
    batcher->running += runner->count > 0;
    if (batcher->head)
        pthread_cond_signal(&batcher->changed);
    pthread_mutex_unlock(&batcher->lock);
    return runner->count > 0;
}

static void gather(const struct runner *runner) {
    size_t picture_bytes = runner->batcher->picture_bytes;
    uint8_t *to = runner->pictures;
    for (int i = 0; i < runner->slices; i++) {
        const struct slice *slice = &runner->slice[i];
        size_t bytes = (size_t)slice->count * picture_bytes;
        memcpy(to, slice->request->pictures + (size_t)slice->first * picture_bytes, bytes);
        to += bytes;
    }
}

static void scatter(const struct runner *runner) {
    size_t classes = (size_t)runner->batcher->classes;
    const float *from = runner->logits;
    for (int i = 0; i < runner->slices; i++) {
        const struct slice *slice = &runner->slice[i];
        size_t floats = (size_t)slice->count * classes;
        memcpy(slice->request->logits + (size_t)slice->first * classes, from,
               floats * sizeof *from);
        from += floats;
    }
}

/* Marks the slices; returns the requests that are complete, as a list. */
static struct batch_request *finish_batch(struct batcher *batcher, const struct runner *runner,
                                          enum status status, const struct error *err) {
    struct batch_request *done = NULL, **end = &done;
    pthread_mutex_lock(&batcher->lock);
    batcher->running--;
    for (int i = 0; i < runner->slices; i++) {
        struct batch_request *request = runner->slice[i].request;
        if (status && !request->status) {
            request->status = status;
            request->err = *err;
        }
        request->left -= runner->slice[i].count;
        if (request->left)
            continue;
        request->next = NULL;
        *end = request;
        end = &request->next;
    }
    pthread_mutex_unlock(&batcher->lock);
    return done;
}

/* done may free its request, so the next one is read first. */
static void tell_done(struct batch_request *first) {
    while (first) {
        struct batch_request *next = first->next;
        first->done(first);
        first = next;
    }
}

static void *runner_main(void *arg) {
    struct runner *runner = arg;
    struct batcher *batcher = runner->batcher;
    struct predictor *lone = batcher->predictors.lone;
    while (take_batch(batcher, runner)) {
        struct error err = {0};
        gather(runner);
        enum status status =
            predictor_logits(lone && runner->is_lone ? lone : runner->predictor, runner->pictures,
                             runner->count, runner->logits, &err);
        if (!status)
            scatter(runner);
        tell_done(finish_batch(batcher, runner, status, &err));
    }
    return NULL;
}

/* ---- start and end ---- */

static enum status runner_start(struct runner *runner, struct error *err) {
    const struct batcher *batcher = runner->batcher;
    size_t most = (size_t)batcher->predictors.most;
    void *pictures = NULL, *logits = NULL;
    enum status status =
        mem_alloc_large(&pictures, most * batcher->picture_bytes, "pictures of a batch", err);
    if (!status)
        status = mem_alloc_large(&logits, most * (size_t)batcher->classes * sizeof(float),
                                 "logits of a batch", err);
    runner->pictures = pictures;
    runner->logits = logits;
    int failed = status ? 0 : pthread_create(&runner->thread, NULL, runner_main, runner);
    return failed ? error_set_errno(err, failed, "a batcher's thread") : status;
}

static void stop(struct batcher *batcher) {
    pthread_mutex_lock(&batcher->lock);
    batcher->stopping = true;
    pthread_cond_broadcast(&batcher->changed);
    pthread_mutex_unlock(&batcher->lock);
}

/* Waits for the first so many threads. */
static void batcher_release(struct batcher *batcher, int started) {
    stop(batcher);
    for (int i = 0; i < started; i++)
        pthread_join(batcher->runner[i].thread, NULL);
    for (int i = 0; i < batcher->predictors.count; i++) {
        mem_free_large(batcher->runner[i].pictures);
        mem_free_large(batcher->runner[i].logits);
    }
    batcher_predictors_free(&batcher->predictors);
    pthread_cond_destroy(&batcher->changed);
    pthread_mutex_destroy(&batcher->lock);
    free(batcher);
}

enum status batcher_create(struct batcher **out, const struct batcher_predictors *predictors,
                           int queue_limit, struct error *err) {
    const struct model_info *info = predictor_info(predictors->each[0]);
    struct batcher *batcher = xcalloc(1, sizeof *batcher);
    *out = NULL;
    batcher->predictors = *predictors;
    batcher->picture_bytes = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
    batcher->classes = info->classes;
    batcher->queue_limit = queue_limit;
    batcher->tail = &batcher->head;
    pthread_mutex_init(&batcher->lock, NULL);
    pthread_cond_init(&batcher->changed, NULL);
    for (int i = 0; i < predictors->count; i++) {
        struct runner *runner = &batcher->runner[i];
        runner->batcher = batcher;
        runner->predictor = predictors->each[i];
        enum status status = runner_start(runner, err);
        if (status) {
            batcher_release(batcher, i);
            return status;
        }
    }
    *out = batcher;
    return STATUS_OK;
}

static enum status enqueue(struct batcher *batcher, struct batch_request *request,
                           struct error *err) {
    if (batcher->stopping)
        return error_set(err, STATUS_UNAVAILABLE, "the model is being put away");
    /* a request that alone is longer than the queue would be refused for ever */
    if (batcher->waiting && request->count > batcher->queue_limit - batcher->waiting)
        return error_set(err, STATUS_TOO_LARGE, "%d pictures wait already, at most %d may",
                         batcher->waiting, batcher->queue_limit);
    request->status = STATUS_OK;
    request->err = (struct error){0};
    request->taken = 0;
    request->left = request->count;
    request->next = NULL;
    *batcher->tail = request;
    batcher->tail = &request->next;
    batcher->waiting += request->count;
    pthread_cond_signal(&batcher->changed);
    return STATUS_OK;
}

enum status batcher_submit(struct batcher *batcher, struct batch_request *request,
                           struct error *err) {
    if (request->count < 1)
        return error_set(err, STATUS_INVALID, "%d pictures, expected at least 1", request->count);
    pthread_mutex_lock(&batcher->lock);
    enum status status = enqueue(batcher, request, err);
    pthread_mutex_unlock(&batcher->lock);
    return status;
}

int batcher_waiting(struct batcher *batcher) {
    pthread_mutex_lock(&batcher->lock);
    int waiting = batcher->waiting;
    pthread_mutex_unlock(&batcher->lock);
    return waiting;
}

void batcher_free(struct batcher *batcher) {
    if (batcher)
        batcher_release(batcher, batcher->predictors.count);
}
