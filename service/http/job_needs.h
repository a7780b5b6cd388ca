/*
 * job_needs.h - what a job on its way in expects of other jobs and of time.
 *
 * `teacher`, `init` and `model` may name a job: the model that it makes is meant, whose id is known
 * before it is there, and the new job depends on it. They may name an alias: the model that it
 * points at now is meant.
 *
 * Ownership: struct job_needs is the caller's; release it.
 * Errors:    INVALID with the field; UNAVAILABLE without Redis.
 * Threads:   any.
 */
#ifndef SERVICE_HTTP_JOB_NEEDS_H
#define SERVICE_HTTP_JOB_NEEDS_H

#include "engine/spec/train_spec.h"

struct app;

/* Specs of the jobs that have yet to make these models; NULL for models that are there. */
struct job_needs {
    struct train_spec *teacher, *init, *model;
};

/* Puts models in the place of jobs and aliases, adds those that are not made yet to depends_on, and
 * checks depends_on and deadline. */
MUST_CHECK enum status job_needs_resolve(struct job_needs *needs, const struct app *app,
                                         struct train_spec *spec, struct error *err);
void job_needs_release(struct job_needs *needs); /* Zeroed or resolved. */

#endif
