/*
 * job_edit.h - what may be changed of a job that exists: the body of PATCH /jobs/{id}.
 *
 * Threads: a value type; constant table.
 */
#ifndef API_JOB_EDIT_H
#define API_JOB_EDIT_H

#include "api/errors.h"
#include "engine/spec/train_spec.h"

struct job_edit {
    char name[SPEC_TEXT_BYTES];
    struct text_list tags;
    int64_t priority;
    bool has_name, has_tags, has_priority; /* what is not given stays as it is */
};
extern const struct field_table job_edit_table; /* the first three */

/* Reads a request; a name of null takes the name away. Errors as in codec.h. */
MUST_CHECK enum status job_edit_decode(struct job_edit *edit, const char *text, size_t len,
                                       struct field_errors *errors, struct error *err);

/* Appends tags as the store keeps them, and reads them back. */
void job_tags_add_json(const struct text_list *tags, struct str *out);
MUST_CHECK enum status job_tags_decode(struct text_list *tags, const char *text, size_t len,
                                       struct error *err);

#endif
