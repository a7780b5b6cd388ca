/*
 * job_reply.h - what the scripts take and answer. Private to service/store.
 *
 * Ownership: a struct job_call is used once: begin, add arguments, run.
 * Errors:    run turns the script's answer into a status: NOT_FOUND, CONFLICT, or OK.
 */
#ifndef SERVICE_STORE_JOB_REPLY_H
#define SERVICE_STORE_JOB_REPLY_H

#include "api/job.h"
#include "service/store/scripts.h"

struct job_call {
    const char *id;
    struct str rules;
    struct redis_args args;
};

#define EVENT_BIT(event) (1u << (event))

/* Begins a call about job `id` with the rows of the transition table for these events. */
void job_call_begin(struct job_call *call, const char *id, unsigned events);

/* Runs the script and ends the call. On OK, *reply is the answer, whose element 0 is "ok", "none"
 * or another word that is no refusal; on failure it is NULL. */
MUST_CHECK enum status job_call_run(struct job_call *call, struct redis_pool *pool,
                                    const struct script *script, struct redisReply **reply,
                                    struct error *err);

/* The word an answer begins with is this one. */
bool reply_is(const struct redisReply *reply, const char *word);

/* Fills a job from the fields and values of its hash. */
MUST_CHECK enum status job_from_reply(struct job *job, const struct redisReply *fields,
                                      struct error *err);

/* One field of a hash reply as an integer, or the fallback. */
int64_t reply_field_int(const struct redisReply *fields, const char *name, int64_t fallback);

/* One field of a hash reply as text, or "". */
const char *reply_field_text(const struct redisReply *fields, const char *name);

/* Fills a point from its JSON and what the store added: its number and its time. */
MUST_CHECK enum status point_from_text(struct point *point, int64_t seq, int64_t at_ms,
                                       const char *text, size_t len, struct error *err);

#endif
