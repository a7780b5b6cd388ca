/* Jobs that wait for others and jobs whose time is limited, against a real Redis. */
#include "service/store/keys.h"
#include "tests/support/queue_case.h"

static struct job submit_after(const char *const *ids_before, int count, int64_t priority) {
    struct job job, out = {.state = JOB_ABSENT};
    bool created = false;
    make_job(&job, priority);
    job.spec.depends_on.count = count;
    for (int i = 0; i < count; i++)
        str_copy(job.spec.depends_on.item[i], FIELD_TEXT_BYTES, ids_before[i]);
    struct submission submission = {.job = &job};
    must(jobs_submit(fixture.pool, &submission, &out, &created, &why), "submit");
    return out;
}

static void finish_next(const char *expected) {
    struct claim claim;
    must(claim_as(&ALICE, LEASE_MS, &claim), "claim");
    T_STR(claim.job.id, expected);
    must(queue_finish(fixture.pool, &claim, "model_X", true, &why), "finish");
}

static void test_a_job_waits_for_those_it_depends_on(void) {
    fresh();
    struct job first = submit(0), second = submit(0);
    const char *const both[] = {first.id, second.id};
    struct job last = submit_after(both, 2, 9), other = submit(0);
    T_INT(last.waits_for.count, 2);
    T_INT(reap().repaired, 0); /* it stands aside, and is not lost */
    finish_next(first.id);
    T_INT(get(last.id).waits_for.count, 1);
    T_STR(get(last.id).waits_for.item[0], second.id);
    must(jobs_change(fixture.pool, JOB_EVENT_PAUSE, last.id, NULL, &why), "pause");
    finish_next(second.id);
    finish_next(other.id);
    must(jobs_change(fixture.pool, JOB_EVENT_RESUME, last.id, NULL, &why), "resume");
    finish_next(last.id);
    const char *const done[] = {last.id};
    T_INT(submit_after(done, 1, 0).waits_for.count, 0);
}

/* A chain falls with its first job; it can be set up again from there. */
static void test_a_failure_runs_down_the_chain(void) {
    fresh();
    struct job chain[3] = {submit(0)};
    struct claim claim;
    struct error err = {0};
    struct job_error error = {.code = STATUS_DIVERGED, .message = "not finite", .step = 7};
    for (int i = 1; i < 3; i++) {
        const char *const before[] = {chain[i - 1].id};
        chain[i] = submit_after(before, 1, 0);
    }
    must(claim_as(&ALICE, LEASE_MS, &claim), "claim");
    must(queue_fail(fixture.pool, &claim, &error, &why), "fail");
    for (int i = 1; i < 3; i++) {
        struct job now = get(chain[i].id);
        T_INT(now.state, JOB_FAILED);
        T_INT(now.error.code, STATUS_CONFLICT);
        T_STR(now.error.field, "depends_on");
        T_CONTAINS(now.error.message, chain[i - 1].id);
        T_INT(now.waits_for.count, 0);
    }
    T_INT(jobs_change(fixture.pool, JOB_EVENT_RETRY, chain[1].id, NULL, &err), STATUS_CONFLICT);
    T_CONTAINS(err.message, "is failed");
    for (int i = 0; i < 3; i++)
        must(jobs_change(fixture.pool, JOB_EVENT_RETRY, chain[i].id, NULL, &why), "retry");
    for (int i = 0; i < 3; i++)
        finish_next(chain[i].id);
}

enum { LONG_CHAIN = 9000 }; /* calls that deep overflow Lua's stack */

static void test_a_failure_runs_down_a_long_chain(void) {
    fresh();
    FIXTURE_DO(&fixture, "CONFIG", "SET", "appendfsync", "no");
    struct job first = submit(0), last = first;
    for (int i = 1; i < LONG_CHAIN; i++) {
        const char *const before[] = {last.id};
        last = submit_after(before, 1, 0);
    }
    must(jobs_change(fixture.pool, JOB_EVENT_CANCEL, first.id, NULL, &why), "cancel");
    T_INT(get(last.id).state, JOB_FAILED);
    int64_t count[JOB_STATE_COUNT];
    must(jobs_count(fixture.pool, count, &why), "count");
    T_INT(count[JOB_FAILED], LONG_CHAIN - 1);
    T_INT(count[JOB_QUEUED], 0);
    FIXTURE_DO(&fixture, "CONFIG", "SET", "appendfsync", "always");
}

static void forget_dependants(const char *id) {
    char key[128];
    snprintf(key, sizeof key, KEY_PREFIX "dependants:%s", id);
    FIXTURE_DO(&fixture, "DEL", key);
}

/* The end of a job was not told to those that wait for it. */
static void test_an_end_that_nobody_heard_of(void) {
    fresh();
    struct job done = submit(0), gone = submit(0);
    const char *const after_done[] = {done.id}, *const after_gone[] = {gone.id};
    struct job goes_on = submit_after(after_done, 1, 0), falls = submit_after(after_gone, 1, 0);
    const char *const after_falls[] = {falls.id};
    struct job falls_too = submit_after(after_falls, 1, 0);
    forget_dependants(done.id);
    forget_dependants(gone.id);
    finish_next(done.id);
    must(jobs_change(fixture.pool, JOB_EVENT_CANCEL, gone.id, NULL, &why), "cancel");
    T_INT(get(falls.id).state, JOB_QUEUED);
    T_INT(reap().repaired, 2);
    T_INT(get(falls.id).state, JOB_FAILED);
    T_CONTAINS(get(falls.id).error.message, gone.id);
    T_INT(get(falls_too.id).state, JOB_FAILED);
    finish_next(goes_on.id);
    T_INT(reap().repaired, 0);
}

static void test_dependencies_that_cannot_be(void) {
    fresh();
    struct job gone, job, out;
    struct error err = {0};
    bool created = false;
    make_job(&gone, 0);
    make_job(&job, 0);
    job.spec.depends_on.count = 1;
    str_copy(job.spec.depends_on.item[0], FIELD_TEXT_BYTES, gone.id);
    struct submission submission = {.job = &job};
    T_INT(jobs_submit(fixture.pool, &submission, &out, &created, &err), STATUS_INVALID);
    T_STR(err.field, "depends_on");
    gone = submit(0);
    must(jobs_change(fixture.pool, JOB_EVENT_CANCEL, gone.id, NULL, &why), "cancel");
    str_copy(job.spec.depends_on.item[0], FIELD_TEXT_BYTES, gone.id);
    T_INT(jobs_submit(fixture.pool, &submission, &out, &created, &err), STATUS_INVALID);
    T_CONTAINS(err.message, "is cancelled");
    T_INT(jobs_get(fixture.pool, job.id, &out, NULL), STATUS_NOT_FOUND);
}

static struct job submit_limited(int64_t max_runtime_s, int64_t deadline_ms) {
    struct job job, out = {.state = JOB_ABSENT};
    bool created = false;
    make_job(&job, 0);
    job.spec.max_runtime_s = max_runtime_s;
    if (deadline_ms)
        clock_format(deadline_ms, job.spec.deadline);
    struct submission submission = {.job = &job};
    must(jobs_submit(fixture.pool, &submission, &out, &created, &why), "submit");
    return out;
}

/* The time of all attempts counts, the time in line does not. */
static void test_time_that_runs_out(void) {
    fresh();
    struct job job = submit_limited(2, 0);
    struct claim claim;
    enum job_state state;
    for (int i = 0; i < 2; i++) {
        must(claim_as(&ALICE, LEASE_MS, &claim), "claim");
        clock_sleep_ms(600);
        must(renew(&claim, LEASE_MS), "renew");
        must(queue_release(fixture.pool, &claim, &state, &why), "release");
        clock_sleep_ms(500);
        T_INT(reap().failed, 0);
    }
    must(claim_as(&ALICE, LEASE_MS, &claim), "claim");
    clock_sleep_ms(900);
    T_INT(renew(&claim, LEASE_MS), STATUS_CONFLICT);
    struct job now = get(job.id);
    T_INT(now.state, JOB_FAILED);
    T_INT(now.error.code, STATUS_TIMEOUT);
    T_STR(now.error.field, "max_runtime_s");
    T_INT(now.error.attempt, 3);
    must(jobs_change(fixture.pool, JOB_EVENT_RETRY, job.id, NULL, &why), "retry");
    must(claim_as(&ALICE, LEASE_MS, &claim), "claim");
    must(renew(&claim, LEASE_MS), "renew"); /* with its time anew */
}

static void test_a_deadline_ends_what_waits_and_what_runs(void) {
    fresh();
    int64_t soon_ms = clock_wall_ms() + 1500;
    struct claim claim, none;
    struct job running = submit_limited(0, soon_ms), waiting = submit_limited(0, soon_ms);
    must(claim_as(&ALICE, LEASE_MS, &claim), "claim");
    T_STR(claim.job.id, running.id);
    clock_sleep_ms(soon_ms + 100 - clock_wall_ms());
    T_INT(claim_as(&BOB, LEASE_MS, &none), STATUS_NOT_FOUND);
    T_INT(get(waiting.id).state, JOB_FAILED);
    T_INT(reap().failed, 1);
    T_INT(get(running.id).error.code, STATUS_TIMEOUT);
    T_STR(get(running.id).error.field, "deadline");
    T_INT(renew(&claim, LEASE_MS), STATUS_CONFLICT);
    struct error err = {0};
    T_INT(jobs_change(fixture.pool, JOB_EVENT_RETRY, waiting.id, NULL, &err), STATUS_CONFLICT);
    T_CONTAINS(err.message, "its deadline has passed");
    T_INT(get(waiting.id).state, JOB_FAILED);
}

int main(void) {
    id_source_init(&ids);
    fixture_open(&fixture);
    T_RUN(test_a_job_waits_for_those_it_depends_on);
    T_RUN(test_a_failure_runs_down_the_chain);
    T_RUN(test_a_failure_runs_down_a_long_chain);
    T_RUN(test_an_end_that_nobody_heard_of);
    T_RUN(test_dependencies_that_cannot_be);
    T_RUN(test_time_that_runs_out);
    T_RUN(test_a_deadline_ends_what_waits_and_what_runs);
    fixture_close(&fixture);
    id_source_release(&ids);
    return t_done();
}
