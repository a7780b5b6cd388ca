/*
 * job_inputs.h - the data set and models that a job's spec names, as files.
 *
 * Ownership: struct job_inputs is the caller's; release it.
 * Errors:    INVALID with the field that names something unknown, or that does not fit the others.
 * Threads:   any; needs no Redis.
 */
#ifndef SERVICE_HTTP_JOB_INPUTS_H
#define SERVICE_HTTP_JOB_INPUTS_H

#include "engine/session/trainer.h"
#include "service/common/config.h"
#include "service/http/job_needs.h"
#include "service/store/datasets.h"
#include "service/store/models.h"

struct job_inputs {
    struct dataset_entry dataset;
    struct model teacher, init, model; /* zeroed when the spec names none */
};

/* Finds all inputs but the models that others have yet to make, and checks that shapes and numbers
 * of classes agree. */
MUST_CHECK enum status job_inputs_find(struct job_inputs *inputs, const char *data,
                                       const struct train_spec *spec, const struct job_needs *needs,
                                       struct error *err);
void job_inputs_release(struct job_inputs *inputs); /* Zeroed or found. */

/* Appends what is allowed for a field that job_inputs_find can refuse, in words. */
void job_inputs_add_range(const char *field, struct str *out);

/* What the job would cost. Blocking: reads the data set. */
MUST_CHECK enum status job_inputs_estimate(const struct job_inputs *inputs,
                                           const struct train_spec *spec,
                                           struct train_estimate *estimate, struct error *err);

/* NO_SPACE when the disk, or the number of models, leaves no room for a job of this spec. */
MUST_CHECK enum status job_inputs_check_room(const struct config *config,
                                             const struct train_spec *spec, struct error *err);

#endif
