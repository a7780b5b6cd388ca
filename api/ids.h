/*
 * ids.h - names of jobs and models: a prefix and a ULID, sortable by time of creation.
 *
 * A ULID is 48 bits of milliseconds and 80 random bits in 26 characters of Crockford's base 32,
 * always upper case here. Ids of one source rise strictly, also within a millisecond and when the
 * clock steps back.
 *
 * Ownership: struct id_source is the caller's; init and release it.
 * Threads:   any number of threads may share an id_source.
 */
#ifndef API_IDS_H
#define API_IDS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define ID_PREFIX_JOB "job_"
#define ID_PREFIX_MODEL "model_"
enum { ID_ULID_CHARS = 26, ID_BYTES = 40 };

struct id_source {
    pthread_mutex_t lock;
    uint64_t last_ms;
    uint8_t random[10]; /* of the last id, big-endian */
};

void id_source_init(struct id_source *source);    /* Ready for id_make. */
void id_source_release(struct id_source *source); /* No thread may use it any more. */

/* Writes a new id with this prefix (at most 12 characters). Aborts if the system has no entropy. */
void id_make(struct id_source *source, const char *prefix, char out[ID_BYTES]);

/* The text is this prefix followed by a ULID as id_make writes it. */
bool id_is_valid(const char *text, const char *prefix);

/* When a valid id was made, in milliseconds since 1970; -1 if there is no ULID at its end. */
int64_t id_time_ms(const char *id);

#endif
