#include "engine/session/batcher.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct batcher {
    struct predictor *predictor;
    size_t picture_bytes;
    int classes, queue_limit;
    uint8_t *pictures; /* [PREDICTOR_MAX_BATCH,h,w,c], where small requests are put together */
    float *logits;     /* [PREDICTOR_MAX_BATCH,classes] */
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    struct batch_request *head, **tail; /* oldest first */
    int waiting;                        /* pictures in the queue */
    bool stopping;
};

/* Takes the oldest request and those behind it that fit into one batch together; waits for the
 * first. NULL when stopping and all is done. */
static struct batch_request *take_batch(struct batcher *batcher) {
    pthread_mutex_lock(&batcher->lock);
    while (!batcher->head && !batcher->stopping)
        pthread_cond_wait(&batcher->changed, &batcher->lock);
    struct batch_request *first = batcher->head, **end = &batcher->head;
    int count = 0;
    while (*end && (count == 0 || count + (*end)->count <= PREDICTOR_MAX_BATCH)) {
        count += (*end)->count;
        end = &(*end)->next;
    }
    batcher->head = *end;
    *end = NULL;
    if (!batcher->head)
        batcher->tail = &batcher->head;
    batcher->waiting -= count;
    pthread_mutex_unlock(&batcher->lock);
    return first;
}

/* One request needs no copy, and may be larger than a batch. */
static void run_alone(struct batcher *batcher, struct batch_request *request) {
    request->status = predictor_logits(batcher->predictor, request->pictures, request->count,
                                       request->logits, &request->err);
}

static void run_together(struct batcher *batcher, struct batch_request *first) {
    struct error err = {0};
    int count = 0;
    for (struct batch_request *request = first; request; request = request->next) {
        memcpy(batcher->pictures + (size_t)count * batcher->picture_bytes, request->pictures,
               (size_t)request->count * batcher->picture_bytes);
        count += request->count;
    }
    enum status status =
        predictor_logits(batcher->predictor, batcher->pictures, count, batcher->logits, &err);
    const float *logits = batcher->logits;
    for (struct batch_request *request = first; request; request = request->next) {
        size_t floats = (size_t)request->count * (size_t)batcher->classes;
        request->status = status;
        request->err = err;
        if (!status)
            memcpy(request->logits, logits, floats * sizeof *logits);
        logits += floats;
    }
}

/* done may free its request, so the next one is read first. */
static void tell_done(struct batch_request *first) {
    while (first) {
        struct batch_request *next = first->next;
        first->done(first);
        first = next;
    }
}

static void *batcher_main(void *arg) {
    struct batcher *batcher = arg;
    struct batch_request *first;
    while ((first = take_batch(batcher))) {
        if (first->next)
            run_together(batcher, first);
        else
            run_alone(batcher, first);
        tell_done(first);
    }
    return NULL;
}

static void batcher_release(struct batcher *batcher) {
    pthread_cond_destroy(&batcher->changed);
    pthread_mutex_destroy(&batcher->lock);
    mem_free_large(batcher->pictures);
    mem_free_large(batcher->logits);
    predictor_free(batcher->predictor);
    free(batcher);
}

enum status batcher_create(struct batcher **out, struct predictor *predictor, int queue_limit,
                           struct error *err) {
    const struct model_info *info = predictor_info(predictor);
    struct batcher *batcher = xcalloc(1, sizeof *batcher);
    void *pictures = NULL, *logits = NULL;
    *out = NULL;
    batcher->predictor = predictor;
    batcher->picture_bytes = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
    batcher->classes = info->classes;
    batcher->queue_limit = queue_limit;
    batcher->tail = &batcher->head;
    pthread_mutex_init(&batcher->lock, NULL);
    pthread_cond_init(&batcher->changed, NULL);
    enum status status = mem_alloc_large(&pictures, PREDICTOR_MAX_BATCH * batcher->picture_bytes,
                                         "pictures of a batch", err);
    if (!status)
        status =
            mem_alloc_large(&logits, PREDICTOR_MAX_BATCH * (size_t)info->classes * sizeof(float),
                            "logits of a batch", err);
    batcher->pictures = pictures;
    batcher->logits = logits;
    int failed = status ? 0 : pthread_create(&batcher->thread, NULL, batcher_main, batcher);
    if (failed)
        status = error_set_errno(err, failed, "the batcher's thread");
    if (status)
        batcher_release(batcher);
    else
        *out = batcher;
    return status;
}

static enum status enqueue(struct batcher *batcher, struct batch_request *request,
                           struct error *err) {
    if (batcher->stopping)
        return error_set(err, STATUS_UNAVAILABLE, "the model is being put away");
    if (request->count > batcher->queue_limit - batcher->waiting)
        return error_set(err, STATUS_TOO_LARGE, "%d pictures wait already, at most %d may",
                         batcher->waiting, batcher->queue_limit);
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
    if (!batcher)
        return;
    pthread_mutex_lock(&batcher->lock);
    batcher->stopping = true;
    pthread_cond_signal(&batcher->changed);
    pthread_mutex_unlock(&batcher->lock);
    pthread_join(batcher->thread, NULL);
    batcher_release(batcher);
}
