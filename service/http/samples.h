/*
 * samples.h - pictures of a data set in answers.
 *
 * Errors:  as in engine/data/sample.h.
 * Threads: any, on a data set that is open.
 */
#ifndef SERVICE_HTTP_SAMPLES_H
#define SERVICE_HTTP_SAMPLES_H

#include "engine/base/str.h"
#include "engine/data/dataset.h"

/* Appends a picture of a split to an object that is open: ,"height":...,"width":...,"image":"<PNG
 * in base64>". */
MUST_CHECK enum status sample_add_png(const struct dataset *dataset, const struct split *split,
                                      int64_t offset, struct str *out, struct error *err);

#endif
