/*
 * queue_case.h - short words for what tests of the queue do to jobs in a Redis of their own.
 *
 * A call that must succeed and does not is a failure of the test, with its reason.
 */
#ifndef TESTS_SUPPORT_QUEUE_CASE_H
#define TESTS_SUPPORT_QUEUE_CASE_H

#include "service/store/queue.h"
#include "tests/support/redis_fixture.h"

static struct redis_fixture fixture;
static struct id_source ids;

static const struct worker_name ALICE = {"alice", "worker_1", NULL},
                                BOB = {"bob", "worker_2", NULL};
enum { LEASE_MS = 60000, SHORT_MS = 400, MAX_LOST = 3 };

static struct error why;

static inline void must(enum status status, const char *what) {
    if (status)
        T_FAIL("%s: %s", what, why.message);
}

static inline void make_job(struct job *job, int64_t priority) {
    struct train_spec spec;
    char id[ID_BYTES];
    fields_default(&train_spec_table, &spec);
    str_copy(spec.student, sizeof spec.student, "resnet8");
    str_copy(spec.dataset, sizeof spec.dataset, "digits");
    spec.priority = priority;
    must(train_spec_finish(&spec, &why), "spec");
    id_make(&ids, ID_PREFIX_JOB, id);
    job_init(job, id, &spec, 0);
}

static inline struct job submit(int64_t priority) {
    struct job job, out;
    bool created = false;
    make_job(&job, priority);
    struct submission submission = {.job = &job};
    must(jobs_submit(fixture.pool, &submission, &out, &created, &why), "submit");
    T_CHECK(created);
    return out;
}

static inline enum status claim_as(const struct worker_name *worker, int64_t lease_ms,
                                   struct claim *claim) {
    return queue_claim(fixture.pool, worker, lease_ms, MAX_LOST, claim, &why);
}

static inline struct reaped reap(void) {
    struct reaped reaped = {0};
    must(queue_reap(fixture.pool, MAX_LOST, &reaped, &why), "reap");
    return reaped;
}

static inline struct job get(const char *id) {
    struct job job = {.state = JOB_ABSENT};
    must(jobs_get(fixture.pool, id, &job, &why), "get");
    return job;
}

static inline enum status renew(const struct claim *claim, int64_t lease_ms) {
    enum job_request wish;
    return queue_renew(fixture.pool, claim, lease_ms, &claim->job.progress, &wish, NULL);
}

static inline void fresh(void) {
    FIXTURE_DO(&fixture, "FLUSHALL");
}

#endif
