/*
 * schema.h - the version of what is stored, in Redis and in the data directory.
 *
 *     <data>/schema        version of the directory's layout; without it 0
 *     <data>/id            data_<ULID>, which tells this directory from others
 *     {distill}:schema     version of what Redis holds; without it 0
 *     {distill}:data       id and place of the data directory that belongs to this Redis
 *
 * Each process looks at both before it touches anything. A newer version is refused, an older one
 * is brought up to SCHEMA_VERSION by a table of steps, in the directory under a lock, in Redis in
 * one script, so that any number of processes may start at once. A step that was interrupted is
 * done again.
 *
 * Errors:  UNSUPPORTED for a newer version, CONFLICT when Redis belongs to another data directory,
 *          CORRUPT for a file that holds something else, UNAVAILABLE when Redis does not answer.
 * Threads: any.
 */
#ifndef SERVICE_STORE_SCHEMA_H
#define SERVICE_STORE_SCHEMA_H

#include "service/store/redis.h"

enum { SCHEMA_VERSION = 2 };

/* Refuses a data directory of a newer version; touches nothing, and one that is not there is fine.
 */
MUST_CHECK enum status schema_check_data(const char *data, struct error *err);

/* The same for both, then brings both up to date. */
MUST_CHECK enum status schema_prepare(const char *data, struct redis_pool *pool, struct error *err);

#endif
