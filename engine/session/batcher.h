/*
 * batcher.h - runs predictions that wait at the same time as one batch.
 *
 * One thread owns the predictor. Whatever has been submitted when it becomes free runs as one
 * batch, so nothing is delayed when idle. The queue is bounded.
 *
 * Ownership: a request and its buffers belong to the submitter until done is called.
 * Threads:   submit from any thread; done is called from the batcher's thread.
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
    struct batch_request *next; /* private */
};

/* Starts the thread; takes ownership of the predictor, on failure too. queue_limit: pictures that
 * may wait. */
MUST_CHECK enum status batcher_create(struct batcher **out, struct predictor *predictor,
                                      int queue_limit, struct error *err);

/* Queues a request; TOO_LARGE when the queue is full, UNAVAILABLE when stopping (done is then not
 * called). */
MUST_CHECK enum status batcher_submit(struct batcher *batcher, struct batch_request *request,
                                      struct error *err);

int batcher_waiting(struct batcher *batcher); /* Pictures in the queue, without those that run. */

/* Finishes what was submitted, then frees; NULL is allowed. */
void batcher_free(struct batcher *batcher);

#endif
