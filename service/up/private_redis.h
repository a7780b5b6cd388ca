/*
 * private_redis.h - a redis-server of our own inside the data directory.
 *
 * It listens on a unix socket only, syncs every write, never evicts, and lives, with socket and
 * configuration, in a folder that only the owner can enter. It holds a lock on that folder as long
 * as it lives, so that two of them never write the same file, also when a supervisor was killed and
 * its Redis is still ending.
 *
 * Errors:  file errors as in base/file.h; CONFLICT when an earlier one does not end.
 * Threads: main only.
 */
#ifndef SERVICE_UP_PRIVATE_REDIS_H
#define SERVICE_UP_PRIVATE_REDIS_H

#include "service/common/config.h"
#include "service/up/child.h"

/* Writes the configuration, takes the lock (waiting for an earlier redis-server to end), and
 * fills the child, which is not started yet. */
MUST_CHECK enum status private_redis_init(struct child *child, const struct config *config,
                                          struct error *err);

#endif
