/*
 * batcher.h - runs predictions that wait at the same time as one batch.
 *
 * Each of some twin predictors has a thread, so that as many batches run at once. A thread that
 * becomes free takes its share of the pictures that wait, so nothing is delayed when idle; a
 * request of many pictures is cut up. The queue is bounded.
 *
 * Ownership: a request and its buffers belong to the submitter until done is called.
 * Threads:   submit from any thread; done is called from one of the batcher's threads.
 */
#ifndef ENGINE_SESSION_BATCHER_H
#define ENGINE_SESSION_BATCHER_H

#include "engine/session/predictor.h"

struct batcher;

struct batch_request {
    const uint8_t *pictures; /* [count,h,w,c] */
    int count;
    float *logits;                               /* [count,classes], filled before done */
    void (*done)(struct batch_request *request); /* status and err are set */
    void *ctx;
    enum status status;
    struct error err;
    /* from here on private */
    int taken, left; /* pictures taken by threads; pictures without logits yet */
    struct batch_request *next;
};

enum { BATCHER_MAX_PREDICTORS = 64 };

/* Predictors of one model: the first, and twins of it. */
struct batcher_predictors {
    struct predictor *each[BATCHER_MAX_PREDICTORS]; /* run batches at the same time */
    int count;
    struct predictor *lone; /* for a picture while no other one waits or runs; may be NULL */
    int most;               /* pictures of a batch */
};

void batcher_predictors_free(struct batcher_predictors *predictors); /* Also if there are none. */

/* Starts the threads; takes ownership of the predictors, on failure too. queue_limit: pictures that
 * may wait. */
MUST_CHECK enum status batcher_create(struct batcher **out,
                                      const struct batcher_predictors *predictors, int queue_limit,
                                      struct error *err);

/* Queues a request; TOO_LARGE when it does not fit beside those that wait, UNAVAILABLE when
 * stopping (done is then not called). Where none waits, any request is taken. */
MUST_CHECK enum status batcher_submit(struct batcher *batcher, struct batch_request *request,
                                      struct error *err);

int batcher_waiting(struct batcher *batcher); /* Pictures in the queue, without those that run. */

/* Finishes what was submitted, then frees; NULL is allowed. */
void batcher_free(struct batcher *batcher);

#endif
