/*
 * checkpoints.h - the weights that jobs keep on their way:
 * <data>/checkpoints/<job>/<step>.safetensors.
 *
 * The trainer writes them, each at once and whole. They outlive the job's folder and go with the
 * job.
 *
 * Errors:  NOT_FOUND for an unknown or ill-formed id, file errors as in base/file.h.
 * Threads: any; needs no Redis.
 */
#ifndef SERVICE_STORE_CHECKPOINTS_H
#define SERVICE_STORE_CHECKPOINTS_H

#include "api/checkpoint.h"
#include "api/limits.h"
#include "engine/base/file.h"

struct checkpoint_list {
    int count; /* the newest first */
    struct checkpoint_card item[LIMIT_CHECKPOINTS];
};

/* The folder of a job's checkpoints, which need not be there. */
MUST_CHECK enum status checkpoints_folder(char out[FILE_PATH_BYTES], const char *data,
                                          const char *job_id, struct error *err);

/* All that a job has kept. */
MUST_CHECK enum status checkpoints_list(struct checkpoint_list *list, const char *data,
                                        const char *job_id, struct error *err);

/* The weights file of a checkpoint. */
MUST_CHECK enum status checkpoint_find(char path[FILE_PATH_BYTES], const char *data, const char *id,
                                       struct error *err);

/* Removes all but the newest. */
MUST_CHECK enum status checkpoints_prune(const char *data, const char *job_id, int64_t keep,
                                         struct error *err);

/* Removes them all; none is fine. */
MUST_CHECK enum status checkpoints_remove(const char *data, const char *job_id, struct error *err);

#endif
