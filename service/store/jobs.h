/*
 * jobs.h - jobs as their users see and change them.
 *
 * Every change is one atomic script, which carries out a row of api/job.h's table of transitions.
 *
 * Ownership: structs are the caller's; pages and lists are released with their functions.
 * Errors:    UNAVAILABLE when Redis does not answer (a change may then have happened; it may be
 *            repeated); NOT_FOUND for an unknown id; CONFLICT when the job's state does not allow
 *            it.
 * Threads:   any number share a pool. A struct feed belongs to one thread.
 */
#ifndef SERVICE_STORE_JOBS_H
#define SERVICE_STORE_JOBS_H

#include "api/event.h"
#include "api/job.h"
#include "api/job_edit.h"
#include "service/store/redis.h"

/* A job to create. The key may be NULL or ""; the fingerprint (a digest of the request) goes with
 * it. */
struct submission {
    const struct job *job; /* from job_init */
    const char *idempotency_key;
    const char *fingerprint;
    int64_t active_jobs; /* that its owner may have; 0: any number */
};

/* Creates a job once: submitting an id or an idempotency key again gives the job that exists, with
 * created false. INVALID with field "Idempotency-Key" when the key belongs to another request,
 * or "depends_on" when a job that it depends on is unknown or ended without success. QUOTA when
 * its owner has that many already that have not ended. */
MUST_CHECK enum status jobs_submit(struct redis_pool *pool, const struct submission *submission,
                                   struct job *out, bool *created, struct error *err);

/* The job that this request of this owner has made already; NOT_FOUND when there is none, or no key
 * ("" or NULL). INVALID as above. */
MUST_CHECK enum status jobs_made_before(struct redis_pool *pool, const char *owner, const char *key,
                                        const char *fingerprint, struct job *out,
                                        struct error *err);

/* The job as it is now. */
MUST_CHECK enum status jobs_get(struct redis_pool *pool, const char *id, struct job *out,
                                struct error *err);

/* A user's wish; event is one of CANCEL, PAUSE, RESUME, RETRY. out (may be NULL) is the job
 * afterwards. QUOTA as above for RETRY. */
MUST_CHECK enum status jobs_change(struct redis_pool *pool, enum job_event event, const char *id,
                                   struct job *out, struct error *err);

/* Changes name, tags and priority, as far as they are given; a queued job changes its place in line
 * in the same step. */
MUST_CHECK enum status jobs_edit(struct redis_pool *pool, const char *id,
                                 const struct job_edit *edit, struct job *out, struct error *err);

/* Removes a finished job with its points and events. Its folder and its model are files and stay;
 * see folders.h. */
MUST_CHECK enum status jobs_remove(struct redis_pool *pool, const char *id, struct error *err);

/* What a list of jobs is limited to; all of it must hold. */
enum { JOB_TERMS_MAX = 7 };
struct job_filter {
    enum job_state state; /* JOB_ABSENT: of any */
    int count;
    struct job_term {
        const char *field; /* "method", "student", "dataset", "teacher", "model", "tag", "owner" */
        const char *value; /* model: that it makes, learns from, starts from or predicts with */
    } term[JOB_TERMS_MAX];
};

/* Jobs, newest first. */
struct job_page {
    struct job *item;
    int count;
    char next[ID_BYTES]; /* cursor of the next page, "" at the end */
};

/* Up to limit jobs older than the cursor `after` ("" or NULL: from the newest) that match. A call
 * looks at a bounded number of jobs: a page may be short, or empty, and still have a next. */
MUST_CHECK enum status jobs_list(struct redis_pool *pool, const struct job_filter *filter,
                                 const char *after, int limit, struct job_page *page,
                                 struct error *err);
void job_page_release(struct job_page *page); /* Zeroed or filled. */

/* The id of a job that has not finished and matches the term; "" when there is none. One step,
 * which no job slips past from state to state, and which finished ones do not make longer. */
MUST_CHECK enum status jobs_find_unfinished(struct redis_pool *pool, const struct job_term *term,
                                            char id[ID_BYTES], struct error *err);

/* Points of a learning curve, by seq. */
struct point_page {
    struct point *item;
    int count;
    int64_t next; /* seq of the last point of this page, or `since`: what to ask for next */
    bool more;    /* others follow already */
};

/* Up to limit points with seq > since. */
MUST_CHECK enum status jobs_points(struct redis_pool *pool, const char *id, int64_t since,
                                   int limit, struct point_page *page, struct error *err);
void point_page_release(struct point_page *page); /* Zeroed or filled. */

/* What happened to a job, by seq; the oldest of more than a thousand are forgotten. */
struct event_page {
    struct event *item;
    int count;
    int64_t next;
    bool more;
};

/* Up to limit events with seq > since. */
MUST_CHECK enum status jobs_events(struct redis_pool *pool, const char *id, int64_t since,
                                   int limit, struct event_page *page, struct error *err);
void event_page_release(struct event_page *page); /* Zeroed or filled. */

/* How many jobs are in each state. */
MUST_CHECK enum status jobs_count(struct redis_pool *pool, int64_t count[JOB_STATE_COUNT],
                                  struct error *err);

/* How long ago the oldest job was created that waits for a worker; 0 without one. */
MUST_CHECK enum status jobs_oldest_ms(struct redis_pool *pool, int64_t *age_ms, struct error *err);

/* Waits for changes of any job (state, progress or points), for those who stream them: one
 * connection of its own, one thread. */
struct feed;

/* Calls back with the id of a job that changed, or NULL when changes may have been missed. */
typedef void feed_fn(void *ctx, const char *id);

struct feed *feed_create(const struct redis_address *address); /* Connects later. */
void feed_free(struct feed *feed);                             /* NULL is allowed. */

/* Waits at most timeout_ms and calls back for each change; OK also when there was none. After an
 * error the next call begins with NULL. */
MUST_CHECK enum status feed_wait(struct feed *feed, int timeout_ms, feed_fn *changed, void *ctx,
                                 struct error *err);

#endif
