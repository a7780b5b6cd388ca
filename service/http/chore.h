/*
 * chore.h - what a handler has a thread of a crew do, because it would hold up the request's own.
 *
 *     struct sampling { struct chore chore; ... };
 *     chore_start(&sampling->chore, request, app->loaders, run_sampling, reply_samples);
 *
 * Ownership: a chore is the first member of what request->state points to.
 * Errors:    in the chore, where the continuation finds them with chore_result: those of run, or
 *            UNAVAILABLE when the crew takes no more.
 * Threads:   run is called on the crew's thread; the request, but for its state, is not touched
 *            meanwhile.
 */
#ifndef SERVICE_HTTP_CHORE_H
#define SERVICE_HTTP_CHORE_H

#include "service/http/crew.h"
#include "service/http/request.h"

struct chore;
typedef enum status chore_fn(struct chore *chore, struct error *err);

struct chore {
    struct task task; /* first: a task is cast to its chore */
    struct request *request;
    chore_fn *run;
    enum status status; /* once it has run */
    struct error err;
};

/* Suspends the request and hands in the work, after which then() goes on with the reply. The caller
 * must not touch the request afterwards. */
void chore_start(struct chore *chore, struct request *request, struct crew *crew, chore_fn *run,
                 handler_fn then);

/* How it went, for the continuation. */
MUST_CHECK enum status chore_result(const struct chore *chore, struct error *err);

#endif
