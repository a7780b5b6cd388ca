/*
 * codec.h - JSON to structs by their field tables, and jobs to JSON.
 *
 * Text from outside is parsed strictly: one value, no duplicate keys, bounded depth, no NUL
 * inside strings, valid UTF-8. Everything wrong with a request is collected, so that a client
 * sees it all at once.
 *
 * Errors:  INVALID without a field: not JSON, or not an object (400). INVALID with err->field: the
 *          first field that is unknown, of the wrong type, out of range, or missing (422); all of
 *          them are in the field_errors (zeroed by the caller, never NULL). CORRUPT for stored text
 *          that is wrong.
 * Threads: pure functions after codec_init.
 */
#ifndef API_CODEC_H
#define API_CODEC_H

#include "api/errors.h"
#include "api/job.h"

/* Seeds the hash tables of the JSON parser from the system's entropy; call once in main, before
 * threads start. */
void codec_init(void);

/* Fills an object from a request by its table: defaults first, then what the text says. Rows of
 * the command line are unknown. null is "not given" for numbers and texts that may be. */
MUST_CHECK enum status fields_decode(const struct field_table *table, void *object,
                                     const char *text, size_t len, struct field_errors *errors,
                                     struct error *err);

/* Fills an object from text that fields_add_json wrote; CORRUPT when it is something else. */
MUST_CHECK enum status fields_decode_stored(const struct field_table *table, void *object,
                                            const char *text, size_t len, struct error *err);

/* Adds an error that names a field of the object, with the field's value and range: for what only
 * the caller can check (a data set that does not exist). */
void fields_blame(const struct field_table *table, const void *object, const struct error *err,
                  struct field_errors *errors);

/* The body of POST /jobs to a finished spec. */
MUST_CHECK enum status job_spec_decode(struct train_spec *spec, const char *text, size_t len,
                                       struct field_errors *errors, struct error *err);

/* Reads what train_spec_add_json wrote. */
MUST_CHECK enum status job_spec_decode_stored(struct train_spec *spec, const char *text, size_t len,
                                              struct error *err);

/* Appends a job as GET /jobs/{id} answers it. */
void job_add_json(const struct job *job, struct str *out);

/* Appends a job's error as JSON, or null when its code is OK; reads it back. */
void job_error_add_json(const struct job_error *error, struct str *out);
MUST_CHECK enum status job_error_decode(struct job_error *error, const char *text, size_t len,
                                        struct error *err);

#endif
