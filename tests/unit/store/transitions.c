/*
 * Walks every event in every state with every wish: where api/job.h's table has a row, the store
 * must end as the row says; where it has none, the store must refuse and change nothing.
 */
#include "service/store/jobs.h"
#include "service/store/queue.h"
#include "service/store/webhooks.h"
#include "tests/support/redis_fixture.h"

static struct redis_fixture fixture;
static struct id_source ids;

static const struct worker_name WORKER = {"host-1", "worker_A", NULL};
enum { LEASE_MS = 60000, EXPIRED_MS = -1, MAX_LOST = 3 };

static struct train_spec some_spec(void) {
    struct train_spec spec;
    struct error err = {0};
    fields_default(&train_spec_table, &spec);
    str_copy(spec.student, sizeof spec.student, "resnet8");
    str_copy(spec.dataset, sizeof spec.dataset, "digits");
    if (train_spec_finish(&spec, &err) != STATUS_OK)
        T_FAIL("%s", err.message);
    return spec;
}

static enum status submit(const char *id, struct job *out) {
    struct train_spec spec = some_spec();
    struct job job;
    bool created = false;
    struct submission submission = {.job = &job};
    job_init(&job, id, &spec, 0);
    enum status status = jobs_submit(fixture.pool, &submission, out, &created, NULL);
    if (status)
        return status;
    return created ? STATUS_OK : STATUS_CONFLICT; /* it was there already */
}

static struct error why;

static void must(enum status status, const char *what) {
    if (status)
        T_FAIL("%s: %s", what, why.message);
}

static void start_claim(struct claim *claim, int64_t lease_ms) {
    must(queue_claim(fixture.pool, &WORKER, lease_ms, MAX_LOST, claim, &why), "claim");
}

static void wish(enum job_event event, const char *id) {
    must(jobs_change(fixture.pool, event, id, NULL, &why), job_event_slug(event));
}

/* Brings a fresh job into a state by legal steps only. */
static void reach(enum job_state state, enum job_request requested, const char *id,
                  struct claim *claim, int64_t lease_ms) {
    struct job job;
    struct job_error error = {.code = STATUS_DIVERGED, .message = "not finite", .step = 7};
    claim->job.attempt = 0;
    str_copy(claim->job.id, sizeof claim->job.id, id);
    if (state == JOB_ABSENT)
        return;
    must(submit(id, &job), "submit");
    if (state == JOB_RUNNING || state == JOB_SUCCEEDED || state == JOB_FAILED)
        start_claim(claim, lease_ms);
    if (state == JOB_SUCCEEDED)
        must(queue_finish(fixture.pool, claim, "model_X", true, &why), "finish");
    if (state == JOB_FAILED)
        must(queue_fail(fixture.pool, claim, &error, &why), "fail");
    if (state == JOB_CANCELLED || requested == JOB_REQUEST_CANCEL)
        wish(JOB_EVENT_CANCEL, id);
    if (state == JOB_PAUSED || requested == JOB_REQUEST_PAUSE)
        wish(JOB_EVENT_PAUSE, id);
}

static enum status reap_of(const char *id, int64_t max_lost) {
    struct job before, after;
    struct reaped reaped;
    if (jobs_get(fixture.pool, id, &before, NULL) != STATUS_OK)
        return STATUS_NOT_FOUND;
    must(queue_reap(fixture.pool, max_lost, &reaped, &why), "reap");
    must(jobs_get(fixture.pool, id, &after, &why), "get");
    return after.lost > before.lost ? STATUS_OK : STATUS_CONFLICT;
}

static enum status claim_of(const char *id) {
    struct claim claim;
    static const struct worker_name other = {"host-2", "worker_B", NULL};
    struct job job;
    if (queue_claim(fixture.pool, &other, LEASE_MS, MAX_LOST, &claim, NULL) == STATUS_OK)
        return strcmp(claim.job.id, id) == 0 ? STATUS_OK : STATUS_INTERNAL;
    return jobs_get(fixture.pool, id, &job, NULL) ? STATUS_NOT_FOUND : STATUS_CONFLICT;
}

/* The time of a job is made to be over; whether that ended it. */
static enum status expire(const char *id) {
    struct job before, after;
    struct reaped reaped;
    if (jobs_get(fixture.pool, id, &before, NULL) != STATUS_OK)
        return STATUS_NOT_FOUND;
    FIXTURE_DO(&fixture, "ZADD", "{distill}:ends", "1", id);
    must(queue_reap(fixture.pool, MAX_LOST, &reaped, &why), "reap");
    must(jobs_get(fixture.pool, id, &after, &why), "get");
    T_INT(reaped.repaired, before.state == after.state); /* what stands there wrongly is removed */
    return after.state == before.state ? STATUS_CONFLICT : STATUS_OK;
}

/* A job is made to wait for another one, which then is cancelled. */
static enum status forsake(const char *id) {
    char other[ID_BYTES], key[64];
    struct job before, after;
    if (jobs_get(fixture.pool, id, &before, NULL) != STATUS_OK)
        return STATUS_NOT_FOUND;
    id_make(&ids, ID_PREFIX_JOB, other);
    must(submit(other, &after), "submit");
    snprintf(key, sizeof key, "{distill}:dependants:%s", other);
    FIXTURE_DO(&fixture, "SADD", key, id);
    wish(JOB_EVENT_CANCEL, other);
    must(jobs_get(fixture.pool, id, &after, &why), "get");
    return after.state == before.state ? STATUS_CONFLICT : STATUS_OK;
}

static enum status carry_out(enum job_event event, const struct claim *claim) {
    const char *id = claim->job.id;
    struct job job;
    enum job_request request;
    enum job_state state;
    struct point point = {.phase = POINT_TRAIN, .epoch = 1, .step = 5};
    struct job_error error = {.code = STATUS_DIVERGED, .message = "not finite", .step = 7};
    const struct job_edit edit = {.priority = 3, .has_priority = true, .has_tags = true};
    struct redis_pool *pool = fixture.pool;
    switch (event) {
    case JOB_EVENT_SUBMIT:
        return submit(id, &job);
    case JOB_EVENT_CLAIM:
        return claim_of(id);
    case JOB_EVENT_RENEW:
        return queue_renew(pool, claim, LEASE_MS, &claim->job.progress, &request, NULL);
    case JOB_EVENT_PROGRESS:
        return queue_publish(pool, claim, &point, NULL);
    case JOB_EVENT_FINISH:
        return queue_finish(pool, claim, "model_X", true, NULL);
    case JOB_EVENT_FAIL:
        return queue_fail(pool, claim, &error, NULL);
    case JOB_EVENT_RELEASE:
        return queue_release(pool, claim, &state, NULL);
    case JOB_EVENT_REAP:
        return reap_of(id, MAX_LOST);
    case JOB_EVENT_POISON:
        return reap_of(id, 1);
    case JOB_EVENT_EDIT:
        return jobs_edit(pool, id, &edit, NULL, NULL);
    case JOB_EVENT_FORSAKE:
        return forsake(id);
    case JOB_EVENT_EXPIRE:
        return expire(id);
    case JOB_EVENT_REMOVE:
        return jobs_remove(pool, id, NULL);
    default:
        return jobs_change(pool, event, id, NULL, NULL);
    }
}

/* What was carried out stands last among the job's events; renewals and points are none. */
static void check_event(const struct job_transition *row, const char *id) {
    struct event_page page = {0};
    if (row->event == JOB_EVENT_RENEW || row->event == JOB_EVENT_PROGRESS ||
        row->event == JOB_EVENT_REMOVE)
        return;
    must(jobs_events(fixture.pool, id, 0, 100, &page, &why), "events");
    if (page.count == 0)
        T_FAIL("%s is not told", job_event_slug(row->event));
    else
        T_STR(page.item[page.count - 1].event, job_event_slug(row->event));
    for (int i = 0; i < page.count; i++)
        T_INT(page.item[i].seq, i + 1);
    event_page_release(&page);
}

static void make_hook(void) {
    struct webhook_request request = {.url = "http://example.org/"};
    struct webhook_card card;
    char id[ID_BYTES];
#define ADD(slug, doc)                                                                             \
    str_copy(request.events.item[request.events.count++], FIELD_TEXT_BYTES, slug);
    WEBHOOK_KIND_MAP(ADD)
#undef ADD
    id_make(&ids, ID_PREFIX_WEBHOOK, id);
    must(webhooks_create(fixture.pool, id, "whsec_AAAA", &request, &card, &why), "webhook");
}

/* What a row is called outside, or NULL. */
static const char *kind_of(const struct job_transition *row) {
    static const char *const by_state[JOB_STATE_COUNT + 1] = {
        [JOB_PAUSED] = "job.paused",
        [JOB_SUCCEEDED] = "job.succeeded",
        [JOB_FAILED] = "job.failed",
        [JOB_CANCELLED] = "job.cancelled",
    };
    static const char *const by_event[JOB_EVENT_COUNT] = {
        [JOB_EVENT_SUBMIT] = "job.submitted",    [JOB_EVENT_CLAIM] = "job.started",
        [JOB_EVENT_RELEASE] = "job.interrupted", [JOB_EVENT_REAP] = "job.interrupted",
        [JOB_EVENT_RESUME] = "job.resumed",      [JOB_EVENT_RETRY] = "job.retried",
    };
    if (!row || row->from == row->to)
        return NULL;
    return by_state[row->to] ? by_state[row->to] : by_event[row->event];
}

/* Webhooks hear of a job that comes into another state, once, with the job as it is then. */
static void check_message(const struct job_transition *row, const char *id, const struct job *job) {
    const struct take take = {.lease_ms = LEASE_MS, .most = 32, .most_of_a_hook = 32};
    struct delivery_list list;
    const char *kind = kind_of(row);
    int told = 0;
    must(webhooks_take(fixture.pool, &take, &list, &why), "take");
    for (int i = 0; i < list.count; i++) {
        if (!list.item[i].job || strcmp(list.item[i].job->id, id) != 0)
            continue;
        told++;
        T_STR(list.item[i].kind, kind);
        T_CHECK(memcmp(list.item[i].job, job, sizeof *job) == 0);
    }
    T_INT(told, kind != NULL);
    delivery_list_release(&list);
}

/* Only a queued job is without a wish; the wish of others is met at once. */
static bool exists(enum job_state state, enum job_request requested) {
    return requested == JOB_REQUEST_NONE || state == JOB_RUNNING;
}

static void check_case(enum job_event event, enum job_state from, enum job_request requested) {
    struct claim claim = {0};
    struct job job = {.state = JOB_ABSENT};
    char id[ID_BYTES];
    const struct job_transition *row = job_transition_find(event, from, requested);
    bool lapses = event == JOB_EVENT_REAP || event == JOB_EVENT_POISON;
    FIXTURE_DO(&fixture, "FLUSHALL");
    id_make(&ids, ID_PREFIX_JOB, id);
    reach(from, requested, id, &claim, lapses ? EXPIRED_MS : LEASE_MS);
    make_hook();
    enum status status = carry_out(event, &claim);
    enum status refusal = from == JOB_ABSENT ? STATUS_NOT_FOUND : STATUS_CONFLICT;
    enum status read = jobs_get(fixture.pool, id, &job, NULL);
    if (read == STATUS_NOT_FOUND)
        job.state = JOB_ABSENT;
    enum job_state to = row ? row->to : from;
    enum job_request then = row ? row->requested_then : requested;
    if (status != (row ? STATUS_OK : refusal) || job.state != to || job.requested != then)
        T_FAIL("%s in %s/%s: %s, then %s/%s; expected %s, %s/%s", job_event_slug(event),
               job_state_slug(from), job_request_slug(requested), status_slug(status),
               job_state_slug(job.state), job_request_slug(job.requested),
               status_slug(row ? STATUS_OK : refusal), job_state_slug(to), job_request_slug(then));
    if (row)
        check_event(row, id);
    check_message(row, id, &job);
}

static void test_every_event_in_every_state(void) {
    int checked = 0;
    for (int event = 0; event < JOB_EVENT_COUNT; event++)
        for (int state = 0; state <= JOB_ABSENT; state++)
            for (int request = 0; request < JOB_REQUEST_COUNT; request++)
                if (exists((enum job_state)state, (enum job_request)request)) {
                    check_case((enum job_event)event, (enum job_state)state,
                               (enum job_request)request);
                    checked++;
                }
    T_INT(checked, JOB_EVENT_COUNT * (JOB_STATE_COUNT + 1 + JOB_REQUEST_COUNT - 1));
}

/* The indexes agree with the jobs after each state: what counts and lists say is what jobs say. */
static void test_indexes_follow(void) {
    for (int state = 0; state < JOB_STATE_COUNT; state++) {
        struct claim claim = {0};
        int64_t count[JOB_STATE_COUNT];
        char id[ID_BYTES];
        FIXTURE_DO(&fixture, "FLUSHALL");
        id_make(&ids, ID_PREFIX_JOB, id);
        reach((enum job_state)state, JOB_REQUEST_NONE, id, &claim, LEASE_MS);
        must(jobs_count(fixture.pool, count, &why), "count");
        for (int other = 0; other < JOB_STATE_COUNT; other++)
            T_INT(count[other], other == state);
        struct job_page page;
        const struct job_filter filter = {.state = (enum job_state)state};
        must(jobs_list(fixture.pool, &filter, NULL, 10, &page, &why), "list");
        T_INT(page.count, 1);
        T_STR(page.item[0].id, id);
        T_INT(page.item[0].finished_ms > 0, job_state_finished((enum job_state)state));
        job_page_release(&page);
    }
}

int main(void) {
    id_source_init(&ids);
    fixture_open(&fixture);
    T_RUN(test_every_event_in_every_state);
    T_RUN(test_indexes_follow);
    fixture_close(&fixture);
    id_source_release(&ids);
    return t_done();
}
