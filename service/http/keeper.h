/*
 * keeper.h - what a server does beside answering, in a thread of its own that may wait for Redis.
 *
 * Every second: checks the schema until Redis has answered once, looks after jobs whose lease or
 * time is over (reaper.h), removes the uploads that have expired, and carries out a step of the
 * retention.
 *
 * Ownership: keeper_create ... keeper_free; config and pool must outlive it.
 * Threads:   create, failed and free from one thread.
 */
#ifndef SERVICE_HTTP_KEEPER_H
#define SERVICE_HTTP_KEEPER_H

#include "service/common/config.h"
#include "service/store/redis.h"

struct keeper;

/* Starts the thread; schema_checked says that this is done already. */
struct keeper *keeper_create(const struct config *config, struct redis_pool *pool,
                             bool schema_checked);

/* Why this server cannot go on with what is stored, or OK. */
MUST_CHECK enum status keeper_failed(struct keeper *keeper, struct error *err);

void keeper_free(struct keeper *keeper); /* Ends the thread; NULL is allowed. */

#endif
