/*
 * job_index.h - by what a job can be found. Private to service/store.
 *
 * Each is a sorted set by:<field>:<value> of the ids of jobs, in the order of their creation. A job
 * names its own in its hash, so that the scripts can take it out of them again.
 *
 * Threads: pure functions.
 */
#ifndef SERVICE_STORE_JOB_INDEX_H
#define SERVICE_STORE_JOB_INDEX_H

#include "api/job.h"

/* Appends the names of a job's indexes, without the key's prefix, as a JSON array. */
void job_indexes_add_json(const struct job *job, struct str *out);
void tag_indexes_add_json(const struct text_list *tags, struct str *out); /* Those of tags. */

#endif
