/* Job states, the table of transitions, and a job as JSON. */
#include "api/codec.h"
#include "tests/support/t.h"

#include <math.h>

static const struct job_transition *find(enum job_event event, enum job_state from,
                                         enum job_request requested) {
    return job_transition_find(event, from, requested);
}

static void test_slugs_come_back(void) {
    for (int i = 0; i < JOB_STATE_COUNT; i++) {
        enum job_state state = JOB_ABSENT;
        T_CHECK(job_state_parse(job_state_slug(i), &state));
        T_INT(state, i);
    }
    for (int i = 0; i < JOB_REQUEST_COUNT; i++) {
        enum job_request request = JOB_REQUEST_COUNT;
        T_CHECK(job_request_parse(job_request_slug(i), &request));
        T_INT(request, i);
    }
    enum job_state state = JOB_PAUSED;
    T_CHECK(!job_state_parse("absent", &state) && !job_state_parse("", &state));
    T_INT(state, JOB_PAUSED);
}

static void test_no_two_rows_apply_at_once(void) {
    for (int i = 0; i < job_transition_count; i++) {
        const struct job_transition *row = &job_transitions[i];
        T_CHECK(find(row->event, row->from, row->requested) == row);
    }
}

static void test_wishes_pend_only_while_running(void) {
    for (int i = 0; i < job_transition_count; i++) {
        const struct job_transition *row = &job_transitions[i];
        T_CHECK(row->requested == JOB_REQUEST_NONE || row->from == JOB_RUNNING);
        T_CHECK(row->requested_then == JOB_REQUEST_NONE || row->to == JOB_RUNNING);
    }
}

static void test_running_is_entered_by_a_claim_only(void) {
    for (int i = 0; i < job_transition_count; i++) {
        const struct job_transition *row = &job_transitions[i];
        if (row->to == JOB_RUNNING && row->from != JOB_RUNNING)
            T_INT(row->event, JOB_EVENT_CLAIM);
    }
}

static void test_finished_jobs_are_only_retried_or_removed(void) {
    for (int i = 0; i < job_transition_count; i++) {
        const struct job_transition *row = &job_transitions[i];
        bool stays = row->from == row->to;
        if (job_state_finished(row->from) && !stays)
            T_CHECK(row->event == JOB_EVENT_RETRY || row->event == JOB_EVENT_REMOVE);
    }
    T_CHECK(!find(JOB_EVENT_CANCEL, JOB_SUCCEEDED, JOB_REQUEST_NONE));
    T_CHECK(!find(JOB_EVENT_REMOVE, JOB_RUNNING, JOB_REQUEST_NONE));
    T_CHECK(!find(JOB_EVENT_FINISH, JOB_CANCELLED, JOB_REQUEST_NONE));
}

/* Whatever happens to the worker, a running job has a way out with every wish. */
static void test_a_worker_may_end_or_die_at_any_time(void) {
    static const enum job_event events[] = {JOB_EVENT_FINISH, JOB_EVENT_FAIL, JOB_EVENT_RELEASE,
                                            JOB_EVENT_REAP, JOB_EVENT_POISON};
    for (size_t e = 0; e < sizeof events / sizeof events[0]; e++)
        for (int wish = 0; wish < JOB_REQUEST_COUNT; wish++) {
            const struct job_transition *row = find(events[e], JOB_RUNNING, wish);
            T_CHECK(row && row->to != JOB_RUNNING);
        }
    T_INT(find(JOB_EVENT_RELEASE, JOB_RUNNING, JOB_REQUEST_PAUSE)->to, JOB_PAUSED);
    T_INT(find(JOB_EVENT_REAP, JOB_RUNNING, JOB_REQUEST_CANCEL)->to, JOB_CANCELLED);
    T_INT(find(JOB_EVENT_REAP, JOB_RUNNING, JOB_REQUEST_NONE)->to, JOB_QUEUED);
}

static void make_job(struct job *job) {
    struct train_spec spec;
    fields_default(&train_spec_table, &spec);
    str_copy(spec.student, sizeof spec.student, "resnet8");
    str_copy(spec.dataset, sizeof spec.dataset, "mnist");
    T_INT(train_spec_finish(&spec, NULL), STATUS_OK);
    job_init(job, "job_01J00000000000000000000000", &spec, 1700000000123);
}

static void test_a_fresh_job(void) {
    struct job job;
    struct str json = STR_INIT;
    make_job(&job);
    job_add_json(&job, &json);
    const char *text = str_text(&json);
    T_CHECK(str_has_prefix(text, "{\"id\":\"job_01J00000000000000000000000\",\"state\":\"queued\","
                                 "\"requested\":null,\"spec\":{\"method\":\"ce\""));
    T_CONTAINS(text, "\"attempt\":0,\"worker\":null,\"progress\":{\"epoch\":0,\"epochs\":240,");
    T_CONTAINS(text, "\"metrics\":{\"train\":null,\"eval\":null,\"best\":null},\"model\":null");
    T_CONTAINS(text, "\"error\":null,\"created\":\"2023-11-14T22:13:20.123Z\",\"started\":null");
    str_release(&json);
}

static void test_a_running_job(void) {
    struct job job;
    struct str json = STR_INIT;
    make_job(&job);
    job.state = JOB_RUNNING;
    job.requested = JOB_REQUEST_CANCEL;
    fields_default(&point_table, &job.train);
    job.train.seq = 3;
    job.train.loss = 0.5;
    str_copy(job.progress.phase, sizeof job.progress.phase, "training");
    job_add_json(&job, &json);
    T_CONTAINS(str_text(&json), "\"phase\":\"training\"");
    job.state = JOB_SUCCEEDED;
    str_clear(&json);
    job_add_json(&job, &json);
    T_CONTAINS(str_text(&json), "\"phase\":null");
    job.state = JOB_RUNNING;
    str_clear(&json);
    job_add_json(&job, &json);
    T_CONTAINS(str_text(&json), "\"state\":\"running\",\"requested\":\"cancel\"");
    T_CONTAINS(str_text(&json), "\"metrics\":{\"train\":{\"seq\":3,");
    T_CONTAINS(str_text(&json), "\"loss\":0.5,\"ce\":null");
    str_release(&json);
}

static void test_when_it_will_have_finished(void) {
    struct job job;
    struct str json = STR_INIT;
    make_job(&job);
    job.updated_ms = 1700000000000; /* 2023-11-14T22:13:20Z */
    const struct {
        enum job_state state;
        double remaining_s;
        const char *text;
    } cases[] = {{JOB_RUNNING, 61.5, "\"estimated_finish\":\"2023-11-14T22:14:21.500Z\""},
                 {JOB_RUNNING, NAN, "\"estimated_finish\":null"},
                 {JOB_RUNNING, 1e300, "\"estimated_finish\":null"},
                 {JOB_PAUSED, 61.5, "\"estimated_finish\":null"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        job.state = cases[i].state;
        job.progress.remaining_s = cases[i].remaining_s;
        str_clear(&json);
        job_add_json(&job, &json);
        T_CONTAINS(str_text(&json), cases[i].text);
    }
    str_release(&json);
}

static void test_job_errors_come_back(void) {
    struct job_error error = {STATUS_DIVERGED, "", "the loss of row 3 is not finite", 17, 2}, back;
    struct str json = STR_INIT;
    job_error_add_json(&error, &json);
    T_STR(str_text(&json), "{\"code\":\"diverged\",\"message\":\"the loss of row 3 is not finite\","
                           "\"field\":null,\"step\":17,\"attempt\":2}");
    T_INT(job_error_decode(&back, str_text(&json), json.len, NULL), STATUS_OK);
    T_CHECK(memcmp(&error, &back, sizeof back) == 0);
    T_INT(job_error_decode(&back, "null", 4, NULL), STATUS_OK);
    T_INT(back.code, STATUS_OK);
    T_INT(job_error_decode(&back, "", 0, NULL), STATUS_OK);
    T_INT(job_error_decode(&back, "{\"code\":\"zzz\"}", 14, NULL), STATUS_CORRUPT);
    T_INT(job_error_decode(&back, "{", 1, NULL), STATUS_CORRUPT);
    str_release(&json);
}

int main(void) {
    T_RUN(test_slugs_come_back);
    T_RUN(test_no_two_rows_apply_at_once);
    T_RUN(test_wishes_pend_only_while_running);
    T_RUN(test_running_is_entered_by_a_claim_only);
    T_RUN(test_finished_jobs_are_only_retried_or_removed);
    T_RUN(test_a_worker_may_end_or_die_at_any_time);
    T_RUN(test_a_fresh_job);
    T_RUN(test_a_running_job);
    T_RUN(test_when_it_will_have_finished);
    T_RUN(test_job_errors_come_back);
    return t_done();
}
