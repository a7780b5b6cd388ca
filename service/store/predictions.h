/*
 * predictions.h - what jobs have predicted: <data>/predictions/<job>/predictions.<format>.
 *
 * A folder is visible once it is whole, and then never changes. It goes with the job.
 *
 * Errors:  NOT_FOUND when there are none, file errors as in base/file.h.
 * Threads: any; needs no Redis.
 */
#ifndef SERVICE_STORE_PREDICTIONS_H
#define SERVICE_STORE_PREDICTIONS_H

#include "engine/base/file.h"

/* suffix, media type, what is in it */
#define PREDICTIONS_FORMAT_MAP(X)                                                                  \
    X(JSONL, "jsonl", "application/jsonl", "a JSON object a line, a line a picture")               \
    X(CSV, "csv", "text/csv", "the same as a table with a header")                                 \
    X(SAFETENSORS, "safetensors", "application/octet-stream",                                      \
      "logits f32 [n,classes] and labels i32 [n]")

enum predictions_format {
#define PREDICTIONS_ENUM(name, suffix, type, doc) PREDICTIONS_##name,
    PREDICTIONS_FORMAT_MAP(PREDICTIONS_ENUM)
#undef PREDICTIONS_ENUM
        PREDICTIONS_FORMATS
};

struct predictions_kind {
    const char *suffix, *media_type;
};
extern const struct predictions_kind predictions_kinds[PREDICTIONS_FORMATS];

/* "<folder>/predictions.<suffix>". */
MUST_CHECK enum status predictions_path(char out[FILE_PATH_BYTES], const char *folder,
                                        enum predictions_format format, struct error *err);

/* Makes the files of a run's folder, one of each format, a job's predictions. OK at once when it
 * has some. */
MUST_CHECK enum status predictions_publish(const char *data, const char *job_id, const char *folder,
                                           struct error *err);

/* The file of a job's predictions. */
MUST_CHECK enum status predictions_find(char out[FILE_PATH_BYTES], const char *data,
                                        const char *job_id, enum predictions_format format,
                                        struct error *err);

/* Removes them; none is fine. */
MUST_CHECK enum status predictions_remove(const char *data, const char *job_id, struct error *err);

#endif
