/* Leases, attempts, points and idempotency against a real Redis. */
#include "tests/support/queue_case.h"

#include <pthread.h>

static const struct job_filter ALL = {.state = JOB_ABSENT};

static void test_a_job_survives_the_way_through_redis(void) {
    fresh();
    struct job job, out;
    bool created = false;
    make_job(&job, 3);
    str_copy(job.spec.name, sizeof job.spec.name, "näme \"quoted\"");
    job.spec.learning_rate = 0.1;
    job.spec.seed = 9007199254740991;
    struct submission submission = {.job = &job};
    must(jobs_submit(fixture.pool, &submission, &out, &created, &why), "submit");
    T_STR(out.id, job.id);
    T_INT(out.state, JOB_QUEUED);
    T_STR(out.spec.name, job.spec.name);
    T_CHECK(out.spec.learning_rate == 0.1);
    T_INT(out.spec.seed, 9007199254740991);
    T_INT(out.spec.priority, 3);
    T_CHECK(out.created_ms > 1600000000000 && out.started_ms == 0 && out.finished_ms == 0);
    T_INT(out.train.seq + out.eval.seq + out.best.seq, 0);
}

static void test_higher_priority_then_order_of_arrival(void) {
    fresh();
    struct job low = submit(0), first = submit(5), second = submit(5), high = submit(9);
    const char *const expected[] = {high.id, first.id, second.id, low.id};
    for (int i = 0; i < 4; i++) {
        struct worker_name worker = {"", "worker_x", NULL};
        struct claim claim;
        snprintf(worker.name, sizeof worker.name, "w%d", i);
        must(claim_as(&worker, LEASE_MS, &claim), "claim");
        T_STR(claim.job.id, expected[i]);
    }
    struct claim none;
    T_INT(claim_as(&BOB, LEASE_MS, &none), STATUS_NOT_FOUND);
}

static void test_a_released_job_keeps_its_place(void) {
    fresh();
    struct job first = submit(0), second = submit(0);
    struct claim claim;
    enum job_state state;
    must(claim_as(&ALICE, LEASE_MS, &claim), "claim");
    must(queue_release(fixture.pool, &claim, &state, &why), "release");
    T_INT(state, JOB_QUEUED);
    must(claim_as(&ALICE, LEASE_MS, &claim), "claim");
    T_STR(claim.job.id, first.id);
    T_INT(claim.job.attempt, 2);
    T_INT(get(first.id).lost, 0);
    T_INT(get(second.id).state, JOB_QUEUED);
}

static void test_an_expired_lease_is_reaped_once(void) {
    fresh();
    struct job job = submit(0);
    struct claim claim;
    must(claim_as(&ALICE, SHORT_MS, &claim), "claim");
    T_INT(reap().requeued, 0);
    clock_sleep_ms(SHORT_MS + 20);
    struct reaped first = reap(), second = reap();
    T_INT(first.requeued, 1);
    T_INT(second.requeued, 0);
    T_INT(get(job.id).state, JOB_QUEUED);
    T_INT(get(job.id).lost, 1);
}

static void test_a_renewed_lease_is_not_reaped(void) {
    fresh();
    struct job job = submit(0);
    struct claim claim;
    must(claim_as(&ALICE, SHORT_MS, &claim), "claim");
    must(renew(&claim, LEASE_MS), "renew");
    clock_sleep_ms(SHORT_MS + 20);
    T_INT(reap().requeued, 0);
    T_INT(get(job.id).state, JOB_RUNNING);
}

static void test_older_attempts_are_refused(void) {
    fresh();
    struct job job = submit(0);
    struct claim old, new;
    enum job_state state;
    struct point point = {.phase = POINT_TRAIN, .epoch = 1, .step = 1};
    struct job_error error = {.code = STATUS_DIVERGED};
    must(claim_as(&ALICE, SHORT_MS, &old), "claim");
    clock_sleep_ms(SHORT_MS + 20);
    reap();
    T_INT(renew(&old, LEASE_MS), STATUS_CONFLICT); /* reaped, nobody has it */
    must(claim_as(&BOB, LEASE_MS, &new), "claim");
    T_INT(new.job.attempt, 2);
    T_INT(renew(&old, LEASE_MS), STATUS_CONFLICT);
    T_INT(queue_publish(fixture.pool, &old, &point, NULL), STATUS_CONFLICT);
    T_INT(queue_finish(fixture.pool, &old, "model_X", true, NULL), STATUS_CONFLICT);
    T_INT(queue_fail(fixture.pool, &old, &error, NULL), STATUS_CONFLICT);
    T_INT(queue_release(fixture.pool, &old, &state, NULL), STATUS_CONFLICT);
    struct job now = get(job.id);
    T_INT(now.state, JOB_RUNNING);
    T_INT(now.train.seq, 0);
    must(queue_finish(fixture.pool, &new, "model_X", true, &why), "finish");
    T_STR(get(job.id).model, "model_X");
}

static void test_a_missed_answer_gives_the_same_claim(void) {
    fresh();
    submit(0);
    submit(0);
    struct claim first, again;
    must(claim_as(&ALICE, LEASE_MS, &first), "claim");
    must(claim_as(&ALICE, LEASE_MS, &again), "claim");
    T_STR(again.job.id, first.job.id);
    T_INT(again.job.attempt, 1);
    T_INT(again.job.lost, 0);
}

static void test_a_new_instance_inherits_at_once(void) {
    fresh();
    struct job job = submit(0);
    struct worker_name reborn = ALICE;
    struct claim first, second;
    str_copy(reborn.instance, sizeof reborn.instance, "worker_3");
    must(claim_as(&ALICE, LEASE_MS, &first), "claim");
    must(claim_as(&reborn, LEASE_MS, &second), "claim");
    T_STR(second.job.id, job.id);
    T_INT(second.job.attempt, 2);
    T_INT(second.job.lost, 1);
}

static void test_a_poisoned_job_fails(void) {
    fresh();
    struct job job = submit(0);
    for (int i = 0; i < MAX_LOST; i++) {
        struct claim claim;
        must(claim_as(&ALICE, 1, &claim), "claim");
        clock_sleep_ms(5);
        reap();
    }
    struct job now = get(job.id);
    T_INT(now.state, JOB_FAILED);
    T_INT(now.error.code, STATUS_INTERNAL);
    T_CONTAINS(now.error.message, "lost");
    T_INT(now.error.attempt, MAX_LOST);
    must(jobs_change(fixture.pool, JOB_EVENT_RETRY, job.id, &now, &why), "retry");
    T_INT(now.state, JOB_QUEUED);
    T_INT(now.lost, 0);
    T_INT(now.error.code, STATUS_OK);
}

/* A worker that dies far along has done nothing wrong: only deaths at the same place count. */
static void test_progress_forgives(void) {
    fresh();
    struct job job = submit(0);
    for (int i = 0; i < 2 * MAX_LOST; i++) {
        struct claim claim;
        struct point point = {.phase = POINT_TRAIN, .epoch = 1, .step = 10 * (i + 1)};
        must(claim_as(&ALICE, 20, &claim), "claim");
        must(queue_publish(fixture.pool, &claim, &point, &why), "publish");
        clock_sleep_ms(30);
        reap();
    }
    T_INT(get(job.id).state, JOB_QUEUED);
    T_INT(get(job.id).lost, 1);
}

static struct point_page points_of(const char *id, int64_t since, int limit) {
    struct point_page page = {0};
    must(jobs_points(fixture.pool, id, since, limit, &page, &why), "points");
    return page;
}

/* Attempt 1 publishes 10, 20, 30 and dies; attempt 2 resumes at 15 and publishes 20, 30, 40. */
static void test_points_have_no_gap_and_no_double(void) {
    fresh();
    struct job job = submit(0);
    struct claim claim;
    for (int attempt = 0; attempt < 2; attempt++) {
        must(claim_as(&ALICE, attempt ? LEASE_MS : 1, &claim), "claim");
        for (int step = 10 + 10 * attempt; step <= 30 + 10 * attempt; step += 10) {
            struct point point = {
                .phase = POINT_TRAIN, .epoch = 1, .step = step, .loss = 1.0 / step, .top1 = 0.1};
            must(queue_publish(fixture.pool, &claim, &point, &why), "publish");
        }
        struct point eval = {.phase = POINT_EVAL, .epoch = 1, .step = 30, .top1 = 0.75};
        must(queue_publish(fixture.pool, &claim, &eval, &why), "publish");
        clock_sleep_ms(10);
        reap();
    }
    static const int steps[] = {10, 20, 30, 30, 40};
    struct point_page page = points_of(job.id, 0, 100);
    T_INT(page.count, 5);
    T_CHECK(!page.more);
    for (int i = 0; i < page.count && i < 5; i++) {
        T_INT(page.item[i].seq, i + 1);
        T_INT(page.item[i].step, steps[i]);
        T_CHECK(page.item[i].phase == POINT_EVAL || page.item[i].loss == 1.0 / steps[i]);
        T_CHECK(page.item[i].time[0] == '2');
    }
    point_page_release(&page);
    page = points_of(job.id, 2, 2);
    T_INT(page.count, 2);
    if (page.count > 0)
        T_INT(page.item[0].seq, 3);
    T_INT(page.next, 4);
    T_CHECK(page.more);
    point_page_release(&page);
    page = points_of(job.id, 5, 2);
    T_INT(page.count, 0);
    T_INT(page.next, 5);
    point_page_release(&page);
    T_INT(get(job.id).train.seq, 5);
    T_INT(get(job.id).eval.seq, 4);
}

static void test_the_best_point_is_kept(void) {
    fresh();
    struct job job = submit(0);
    struct claim claim;
    must(claim_as(&ALICE, LEASE_MS, &claim), "claim");
    static const double top1[] = {0.5, 0.875, 0.75};
    for (int i = 0; i < 3; i++) {
        struct point eval = {.phase = POINT_EVAL, .epoch = i + 1, .step = i + 1, .top1 = top1[i]};
        must(queue_publish(fixture.pool, &claim, &eval, &why), "publish");
    }
    T_INT(get(job.id).best.epoch, 2);
    T_INT(get(job.id).eval.epoch, 3);
}

static void test_submitting_twice_creates_once(void) {
    fresh();
    struct job job, other, out;
    bool created = false;
    make_job(&job, 0);
    make_job(&other, 0);
    struct submission first = {&job, "key-1", "aaaa", 0}, same = {&other, "key-1", "aaaa", 0},
                      different = {&other, "key-1", "bbbb", 0};
    must(jobs_submit(fixture.pool, &first, &out, &created, &why), "submit");
    T_CHECK(created);
    must(jobs_submit(fixture.pool, &first, &out, &created, &why), "submit");
    T_CHECK(!created);
    must(jobs_submit(fixture.pool, &same, &out, &created, &why), "submit");
    T_CHECK(!created);
    T_STR(out.id, job.id);
    struct error err = {0};
    T_INT(jobs_submit(fixture.pool, &different, &out, &created, &err), STATUS_INVALID);
    T_STR(err.field, "Idempotency-Key");
    T_INT(jobs_get(fixture.pool, other.id, &out, NULL), STATUS_NOT_FOUND);
}

static void test_a_key_is_remembered_for_a_day(void) {
    static const char check[] =
        "local left = redis.call('PTTL', redis.call('KEYS', '*:idempotency:*')[1]) "
        "local day = 24 * 60 * 60 * 1000 "
        "return left > day - 60 * 60 * 1000 and left <= day or redis.error_reply(tostring(left))";
    fresh();
    struct job job, out;
    bool created = false;
    make_job(&job, 0);
    struct submission submission = {&job, "key-1", "aaaa", 0};
    must(jobs_submit(fixture.pool, &submission, &out, &created, &why), "submit");
    FIXTURE_DO(&fixture, "EVAL", check, "0");
}

static void test_lists_page_through_all(void) {
    fresh();
    char id[7][ID_BYTES];
    for (int i = 0; i < 7; i++)
        str_copy(id[i], ID_BYTES, submit(0).id);
    char cursor[ID_BYTES] = "";
    int seen = 0;
    do {
        struct job_page page;
        must(jobs_list(fixture.pool, &ALL, cursor, 3, &page, &why), "list");
        for (int i = 0; i < page.count; i++)
            T_STR(page.item[i].id, id[6 - seen++]);
        str_copy(cursor, sizeof cursor, page.next);
        job_page_release(&page);
    } while (cursor[0] && seen <= 7);
    T_INT(seen, 7);
}

static struct job submit_tagged(const char *student, const char *tag) {
    struct job job, out;
    bool created = false;
    make_job(&job, 0);
    str_copy(job.spec.student, sizeof job.spec.student, student);
    job.spec.tags.count = 1;
    str_copy(job.spec.tags.item[0], FIELD_TEXT_BYTES, tag);
    struct submission submission = {.job = &job};
    must(jobs_submit(fixture.pool, &submission, &out, &created, &why), "submit");
    return out;
}

/* The one job that is in both sets is older than a thousand that are in one of them. */
static void test_a_page_looks_at_a_bounded_number_of_jobs(void) {
    static const char crowd[] =
        "for i = 1, 1001 do redis.call('ZADD', '{distill}:by:tag:a', 0, 'job_X' .. i) "
        "redis.call('ZADD', '{distill}:by:student:resnet20', 0, 'job_Y' .. i) end";
    fresh();
    struct job wanted = submit_tagged("resnet20", "a");
    FIXTURE_DO(&fixture, "EVAL", crowd, "0");
    const struct job_filter filter = {
        .state = JOB_ABSENT, .count = 2, .term = {{"student", "resnet20"}, {"tag", "a"}}};
    struct job_page page;
    must(jobs_list(fixture.pool, &filter, NULL, 10, &page, &why), "list");
    T_INT(page.count, 0);
    T_CHECK(page.next[0] != '\0');
    char cursor[ID_BYTES];
    str_copy(cursor, sizeof cursor, page.next);
    job_page_release(&page);
    must(jobs_list(fixture.pool, &filter, cursor, 10, &page, &why), "list");
    T_INT(page.count, 1);
    if (page.count)
        T_STR(page.item[0].id, wanted.id);
    T_STR(page.next, "");
    job_page_release(&page);
}

static struct job submit_for(const char *device) {
    struct job job, out;
    bool created;
    make_job(&job, 0);
    must(field_set_text(field_find(&train_spec_table, "device"), &job.spec, device, &why), device);
    struct submission submission = {.job = &job};
    must(jobs_submit(fixture.pool, &submission, &out, &created, &why), "submit");
    return out;
}

static enum status claim_with(const char *device, struct claim *claim) {
    struct text_list has = {.count = 1};
    struct worker_name worker = {"", "worker_x", &has};
    str_copy(has.item[0], FIELD_TEXT_BYTES, device);
    snprintf(worker.name, sizeof worker.name, "w-%s-%lld", device, (long long)clock_mono_ns());
    return claim_as(&worker, LEASE_MS, claim);
}

/* Each device that a job can ask for has its line; those who ask for none stand in all. */
static void test_workers_take_what_they_have_a_device_for(void) {
    static const char *const all[] = {"cpu", "ref", "cuda"};
    fresh();
    struct job job[3], any;
    struct claim claim;
    for (int i = 0; i < 3; i++)
        job[i] = submit_for(all[i]);
    any = submit_for("auto");
    T_INT(reap().repaired, 0);
    FIXTURE_DO(&fixture, "DEL", "{distill}:waiting:cuda");
    T_INT(reap().repaired, 1);
    for (int i = 2; i >= 0; i--) {
        must(claim_with(all[i], &claim), "claim");
        T_STR(claim.job.id, job[i].id); /* before `any`, which came later */
    }
    must(jobs_change(fixture.pool, JOB_EVENT_PAUSE, any.id, NULL, &why), "pause");
    job[2] = submit_for("cuda");
    T_INT(claim_with("cpu", &claim), STATUS_NOT_FOUND);
    T_INT(claim_as(&ALICE, LEASE_MS, &claim), STATUS_NOT_FOUND);
    must(jobs_change(fixture.pool, JOB_EVENT_RESUME, any.id, NULL, &why), "resume");
    must(claim_with("cpu", &claim), "claim");
    T_STR(claim.job.id, any.id);
    must(jobs_change(fixture.pool, JOB_EVENT_CANCEL, job[2].id, NULL, &why), "cancel");
    T_INT(claim_with("cuda", &claim), STATUS_NOT_FOUND);
}

static void expect_unfinished(const char *field, const char *value, const char *expected) {
    char id[ID_BYTES];
    const struct job_term term = {field, value};
    must(jobs_find_unfinished(fixture.pool, &term, id, &why), "find");
    T_STR(id, expected);
}

static void test_what_has_not_finished_is_found(void) {
    fresh();
    struct claim claim;
    struct job job = submit(0);
    expect_unfinished("dataset", "digits", job.id);
    expect_unfinished("dataset", "letters", "");
    must(jobs_change(fixture.pool, JOB_EVENT_PAUSE, job.id, NULL, &why), "pause");
    expect_unfinished("dataset", "digits", job.id);
    must(jobs_change(fixture.pool, JOB_EVENT_RESUME, job.id, NULL, &why), "resume");
    for (int i = 0; i < 3; i++) /* the smaller index is that of the state now */
        must(jobs_change(fixture.pool, JOB_EVENT_CANCEL, submit(0).id, NULL, &why), "cancel");
    must(claim_as(&ALICE, LEASE_MS, &claim), "claim");
    expect_unfinished("student", "resnet8", job.id);
    must(queue_finish(fixture.pool, &claim, "model_X", true, &why), "finish");
    expect_unfinished("dataset", "digits", "");
}

static void test_indexes_are_repaired(void) {
    fresh();
    struct job waiting = submit(0);
    FIXTURE_DO(&fixture, "DEL", "{distill}:waiting");
    T_INT(reap().repaired, 1);
    struct claim claim;
    must(claim_as(&ALICE, SHORT_MS, &claim), "claim");
    T_STR(claim.job.id, waiting.id);
    FIXTURE_DO(&fixture, "DEL", "{distill}:leases");
    T_INT(reap().repaired, 1);
    T_INT(get(waiting.id).state, JOB_RUNNING); /* its worker may live */
    clock_sleep_ms(SHORT_MS + 20);
    T_INT(reap().requeued, 1);
    FIXTURE_DO(&fixture, "ZADD", "{distill}:leases", "1", "job_ghost");
    FIXTURE_DO(&fixture, "ZADD", "{distill}:waiting", "-99", "job_ghost");
    T_INT(reap().repaired, 1);
    must(claim_as(&BOB, LEASE_MS, &claim), "claim");
    T_STR(claim.job.id, waiting.id);
}

static void test_what_cannot_be_read_fails_and_hides_nothing(void) {
    fresh();
    struct job broken = submit(5), fine = submit(0), out;
    char key[64];
    struct claim claim;
    snprintf(key, sizeof key, "{distill}:job:%s", broken.id);
    FIXTURE_DO(&fixture, "HSET", key, "spec", "{\"method\":");
    T_INT(claim_as(&ALICE, LEASE_MS, &claim), STATUS_CORRUPT);
    must(claim_as(&ALICE, LEASE_MS, &claim), "claim");
    T_STR(claim.job.id, fine.id);
    T_INT(jobs_get(fixture.pool, broken.id, &out, NULL), STATUS_CORRUPT);
    struct job_page page;
    must(jobs_list(fixture.pool, &ALL, NULL, 10, &page, &why), "list");
    T_INT(page.count, 1);
    job_page_release(&page);
    int64_t count[JOB_STATE_COUNT];
    must(jobs_count(fixture.pool, count, &why), "count");
    T_INT(count[JOB_FAILED], 1);
}

enum { REAPERS = 4, RACED_JOBS = 40 };

static void *race_reaper(void *ctx) {
    int *requeued = ctx;
    for (int i = 0; i < 50; i++)
        *requeued += reap().requeued;
    return NULL;
}

static void test_reapers_do_not_reap_twice(void) {
    fresh();
    for (int i = 0; i < RACED_JOBS; i++) {
        struct worker_name worker = {"", "worker_x", NULL};
        struct claim claim;
        submit(0);
        snprintf(worker.name, sizeof worker.name, "w%d", i);
        must(claim_as(&worker, 1, &claim), "claim");
    }
    clock_sleep_ms(5);
    pthread_t threads[REAPERS];
    int requeued[REAPERS] = {0}, total = 0;
    for (int i = 0; i < REAPERS; i++)
        pthread_create(&threads[i], NULL, race_reaper, &requeued[i]);
    for (int i = 0; i < REAPERS; i++) {
        pthread_join(threads[i], NULL);
        total += requeued[i];
    }
    T_INT(total, RACED_JOBS);
}

int main(void) {
    id_source_init(&ids);
    fixture_open(&fixture);
    T_RUN(test_a_job_survives_the_way_through_redis);
    T_RUN(test_higher_priority_then_order_of_arrival);
    T_RUN(test_a_released_job_keeps_its_place);
    T_RUN(test_an_expired_lease_is_reaped_once);
    T_RUN(test_a_renewed_lease_is_not_reaped);
    T_RUN(test_older_attempts_are_refused);
    T_RUN(test_a_missed_answer_gives_the_same_claim);
    T_RUN(test_a_new_instance_inherits_at_once);
    T_RUN(test_a_poisoned_job_fails);
    T_RUN(test_progress_forgives);
    T_RUN(test_points_have_no_gap_and_no_double);
    T_RUN(test_the_best_point_is_kept);
    T_RUN(test_submitting_twice_creates_once);
    T_RUN(test_a_key_is_remembered_for_a_day);
    T_RUN(test_lists_page_through_all);
    T_RUN(test_a_page_looks_at_a_bounded_number_of_jobs);
    T_RUN(test_workers_take_what_they_have_a_device_for);
    T_RUN(test_what_has_not_finished_is_found);
    T_RUN(test_indexes_are_repaired);
    T_RUN(test_what_cannot_be_read_fails_and_hides_nothing);
    T_RUN(test_reapers_do_not_reap_twice);
    fixture_close(&fixture);
    id_source_release(&ids);
    return t_done();
}
