/*
 * keys.h - the names of everything in Redis.
 *
 * All keys share one hash tag, so that a Redis cluster keeps them together. A job's hash is the
 * truth; the sorted sets are indexes over it that the reaper repairs. The scripts get the prefix
 * as KEYS[1] and make the same names (lua/prelude.lua).
 *
 *     {distill}:job:<id>      hash    the job (jobs.c names the fields)
 *     {distill}:points:<id>   stream  learning curve; entry <seq>-0 is point seq
 *     {distill}:events:<id>   stream  what happened: event, state, requested, attempt, at, notes
 *     {distill}:jobs          zset    all ids, score 0: the order is that of the ids
 *     {distill}:state:<slug>  zset    ids in that state, score 0
 *     {distill}:waiting       zset    queued ids by priority, then order of arrival
 *     {distill}:waiting:<device>  zset  the same of those that ask for a device
 *     {distill}:blocked       zset    queued jobs that wait for others
 *     {distill}:blocked_seen  text    of them, the one that the reaper looked at last
 *     {distill}:ends          zset    id -> time in ms at which it must have ended
 *     {distill}:dependants:<id>  set  jobs that wait for that one
 *     {distill}:active:<owner>  set   jobs of a key that have not ended
 *     {distill}:leases        zset    running ids by the server's time at which the lease ends, ms
 *     {distill}:by:<field>:<value>  zset  jobs with that method, student, dataset, ..., tag
 *     {distill}:workers       hash    worker name -> id that it runs
 *     {distill}:schema        number  version of what is stored (schema.h)
 *     {distill}:data          hash    id and place of the data directory
 *     {distill}:worker:<name> hash    what a worker said of itself; expires
 *     {distill}:heard         zset    worker name -> the server's time at which it spoke, ms
 *     {distill}:webhooks      zset    ids of webhooks, score 0
 *     {distill}:webhook:<id>  hash    a webhook: url, kinds, tag, secret, and how it went
 *     {distill}:hook_served   text    the webhook that messages were taken of last
 *     {distill}:outbox:<id>   zset    its messages by the time of the next try, ms
 *     {distill}:delivery:<id>:<message>  hash  one of them, with the job as it was
 *     {distill}:idempotency:<sha256>  hash  id and fingerprint of a submission; expires
 *     {distill}:removed       zset    removed jobs whose files may still be there
 *     {distill}:changes       stream  ids of jobs that changed; wakes who waits
 *     {distill}:order         counter arrivals
 */
#ifndef SERVICE_STORE_KEYS_H
#define SERVICE_STORE_KEYS_H

#define KEY_PREFIX "{distill}:"
#define KEY_JOB KEY_PREFIX "job:"
#define KEY_POINTS KEY_PREFIX "points:"
#define KEY_EVENTS KEY_PREFIX "events:"
#define KEY_JOBS KEY_PREFIX "jobs"
#define KEY_STATE KEY_PREFIX "state:"
#define KEY_WAITING KEY_PREFIX "waiting"
#define KEY_LEASES KEY_PREFIX "leases"
#define KEY_WORKERS KEY_PREFIX "workers"
#define KEY_CHANGES KEY_PREFIX "changes"

#endif
