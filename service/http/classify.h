/*
 * classify.h - pictures of a request through a model, for the handlers of predictions.
 *
 * The request's thread decodes the pictures, or if they are large a thread of a crew, and hands
 * them to the model's batcher; when they come back the request goes on. A crew also loads the model
 * if that must be first. With no pictures at all it only loads the model.
 *
 * Ownership: a classification is the first member of what request->state points to; release it
 *            there. What fields point to must live until then.
 * Errors:    unknown models, what the callbacks say, a lost device, which ends the process; a full
 *            queue goes into the reply (429).
 * Threads:   check and take may be called on another thread than the request's, one at a time.
 */
#ifndef SERVICE_HTTP_CLASSIFY_H
#define SERVICE_HTTP_CLASSIFY_H

#include "service/http/app.h"
#include "service/http/chore.h"

struct classification {
    struct chore chore;   /* first; the handler sets its request */
    const char *model_id; /* or an alias */
    int count;            /* pictures, */
    int64_t pixels;       /* and what decoding them takes: see picture_pixels */
    /* The pictures fit this model; may be NULL. */
    enum status (*check)(const struct classification *work, struct error *err);
    /* Picture i as the model's input, into out [h,w,c]. */
    enum status (*take)(const struct classification *work, int i, uint8_t *out, struct error *err);
    /* Answers with model and logits. */
    enum status (*answer)(const struct classification *work, struct reply *reply,
                          struct error *err);

    struct cached_model *model;
    float *logits; /* [count,classes] */
    /* from here on private */
    uint8_t *pictures; /* [count,h,w,c] */
    struct batch_request batch;
    bool is_full; /* the batcher's queue */
};

/* Fills the reply, or suspends the request, whose state begins with this; request, model_id, count,
 * pixels and callbacks are set, all else is zero. */
MUST_CHECK enum status classify(struct classification *work, struct reply *reply,
                                struct error *err);

void classification_release(struct classification *work); /* Set up or done. */

#endif
