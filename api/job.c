#include "api/job.h"

#include <math.h>
#include <string.h>

/* ---- slugs ---- */

const char *const job_state_slugs[] = {
#define SLUG(name, slug, finished) slug,
    JOB_STATE_MAP(SLUG)
#undef SLUG
        NULL};

static const bool state_finished[] = {
#define FINISHED(name, slug, finished) finished,
    JOB_STATE_MAP(FINISHED)
#undef FINISHED
        [JOB_ABSENT] = false,
};

static const char *const request_slugs[] = {
#define SLUG(name, slug) slug,
    JOB_REQUEST_MAP(SLUG)
#undef SLUG
        NULL};

static const char *const event_slugs[] = {
#define SLUG(name, slug, doc) slug,
    JOB_EVENT_MAP(SLUG)
#undef SLUG
};

const char *job_state_slug(enum job_state state) {
    return state == JOB_ABSENT ? "absent" : job_state_slugs[state];
}

const char *job_request_slug(enum job_request request) {
    return request_slugs[request];
}

const char *job_event_slug(enum job_event event) {
    return event_slugs[event];
}

bool job_state_finished(enum job_state state) {
    return state_finished[state];
}

bool job_state_parse(const char *slug, enum job_state *state) {
    int index = str_index(job_state_slugs, slug);
    if (index >= 0)
        *state = (enum job_state)index;
    return index >= 0;
}

bool job_request_parse(const char *slug, enum job_request *request) {
    int index = str_index(request_slugs, slug);
    if (index >= 0)
        *request = (enum job_request)index;
    return index >= 0;
}

/* ---- transitions ---- */

#define ROW(event, from, wish, to, wish_then)                                                      \
    { JOB_EVENT_##event, JOB_##from, JOB_REQUEST_##wish, JOB_##to, JOB_REQUEST_##wish_then }

const struct job_transition job_transitions[] = {
    ROW(SUBMIT, ABSENT, NONE, QUEUED, NONE),
    ROW(CLAIM, QUEUED, NONE, RUNNING, NONE),
    /* while it runs, a wish stays until the worker has met it */
    ROW(RENEW, RUNNING, NONE, RUNNING, NONE),
    ROW(RENEW, RUNNING, PAUSE, RUNNING, PAUSE),
    ROW(RENEW, RUNNING, CANCEL, RUNNING, CANCEL),
    ROW(PROGRESS, RUNNING, NONE, RUNNING, NONE),
    ROW(PROGRESS, RUNNING, PAUSE, RUNNING, PAUSE),
    ROW(PROGRESS, RUNNING, CANCEL, RUNNING, CANCEL),
    /* whoever was faster: an end that is reached beats a wish */
    ROW(FINISH, RUNNING, NONE, SUCCEEDED, NONE),
    ROW(FINISH, RUNNING, PAUSE, SUCCEEDED, NONE),
    ROW(FINISH, RUNNING, CANCEL, SUCCEEDED, NONE),
    ROW(FAIL, RUNNING, NONE, FAILED, NONE),
    ROW(FAIL, RUNNING, PAUSE, FAILED, NONE),
    ROW(FAIL, RUNNING, CANCEL, FAILED, NONE),
    /* the worker stopped, because of a wish or because it shuts down, or died */
    ROW(RELEASE, RUNNING, NONE, QUEUED, NONE),
    ROW(RELEASE, RUNNING, PAUSE, PAUSED, NONE),
    ROW(RELEASE, RUNNING, CANCEL, CANCELLED, NONE),
    ROW(REAP, RUNNING, NONE, QUEUED, NONE),
    ROW(REAP, RUNNING, PAUSE, PAUSED, NONE),
    ROW(REAP, RUNNING, CANCEL, CANCELLED, NONE),
    ROW(POISON, RUNNING, NONE, FAILED, NONE),
    ROW(POISON, RUNNING, PAUSE, FAILED, NONE),
    ROW(POISON, RUNNING, CANCEL, CANCELLED, NONE),
    /* what it waits for will not come, or comes too late */
    ROW(FORSAKE, QUEUED, NONE, FAILED, NONE),
    ROW(FORSAKE, PAUSED, NONE, FAILED, NONE),
    ROW(EXPIRE, QUEUED, NONE, FAILED, NONE),
    ROW(EXPIRE, PAUSED, NONE, FAILED, NONE),
    ROW(EXPIRE, RUNNING, NONE, FAILED, NONE),
    ROW(EXPIRE, RUNNING, PAUSE, FAILED, NONE),
    ROW(EXPIRE, RUNNING, CANCEL, CANCELLED, NONE),
    /* users; asking for what is already so is fine */
    ROW(CANCEL, QUEUED, NONE, CANCELLED, NONE),
    ROW(CANCEL, PAUSED, NONE, CANCELLED, NONE),
    ROW(CANCEL, RUNNING, NONE, RUNNING, CANCEL),
    ROW(CANCEL, RUNNING, PAUSE, RUNNING, CANCEL),
    ROW(CANCEL, RUNNING, CANCEL, RUNNING, CANCEL),
    ROW(CANCEL, CANCELLED, NONE, CANCELLED, NONE),
    ROW(PAUSE, QUEUED, NONE, PAUSED, NONE),
    ROW(PAUSE, RUNNING, NONE, RUNNING, PAUSE),
    ROW(PAUSE, RUNNING, PAUSE, RUNNING, PAUSE),
    ROW(PAUSE, PAUSED, NONE, PAUSED, NONE),
    ROW(RESUME, PAUSED, NONE, QUEUED, NONE),
    ROW(RESUME, RUNNING, PAUSE, RUNNING, NONE),
    ROW(RETRY, FAILED, NONE, QUEUED, NONE),
    /* name, tags and priority say nothing about what comes out */
    ROW(EDIT, QUEUED, NONE, QUEUED, NONE),
    ROW(EDIT, RUNNING, NONE, RUNNING, NONE),
    ROW(EDIT, RUNNING, PAUSE, RUNNING, PAUSE),
    ROW(EDIT, RUNNING, CANCEL, RUNNING, CANCEL),
    ROW(EDIT, PAUSED, NONE, PAUSED, NONE),
    ROW(EDIT, SUCCEEDED, NONE, SUCCEEDED, NONE),
    ROW(EDIT, FAILED, NONE, FAILED, NONE),
    ROW(EDIT, CANCELLED, NONE, CANCELLED, NONE),
    ROW(REMOVE, SUCCEEDED, NONE, ABSENT, NONE),
    ROW(REMOVE, FAILED, NONE, ABSENT, NONE),
    ROW(REMOVE, CANCELLED, NONE, ABSENT, NONE),
};
#undef ROW

const int job_transition_count = (int)(sizeof job_transitions / sizeof job_transitions[0]);

const struct job_transition *job_transition_find(enum job_event event, enum job_state from,
                                                 enum job_request requested) {
    for (int i = 0; i < job_transition_count; i++) {
        const struct job_transition *row = &job_transitions[i];
        if (row->event == event && row->from == from && row->requested == requested)
            return row;
    }
    return NULL;
}

/* ---- values ---- */

#define ROW(member) FIELD_MEMBER(struct job_progress, member)

static const struct field progress_rows[] = {
    {ROW(epoch), .type = FIELD_INT, .max = 1e15, .fallback = "0", .doc = "Epoch it is in, from 1."},
    {ROW(epochs), .type = FIELD_INT, .max = 1e15, .fallback = "0", .doc = "Epochs of the job."},
    {ROW(step), .type = FIELD_INT, .max = 1e15, .fallback = "0", .doc = "Steps done."},
    {ROW(steps), .type = FIELD_INT, .max = 1e15, .fallback = "0",
     .doc = "Steps of the job, 0 until known."},
    {ROW(checkpoint), .type = FIELD_INT, .max = 1e15, .fallback = "0",
     .doc = "Steps that the last checkpoint holds, 0: there is none yet."},
    {ROW(fraction), .type = FIELD_FLOAT, .max = 1, .fallback = "0", .doc = "Share that is done."},
    {ROW(images_per_s), .type = FIELD_FLOAT, .max = INFINITY,
     .doc = "Training pictures per second, null until known."},
    {ROW(remaining_s), .type = FIELD_FLOAT, .max = INFINITY,
     .doc = "Seconds it will still take, null until known."},
    {ROW(phase), .type = FIELD_TEXT, .max = 15,
     .doc = "What the worker does: preparing, training, evaluating, predicting or saving; null "
            "unless running."},
};
#undef ROW

const struct field_table job_progress_table = FIELD_TABLE("progress", progress_rows);

void job_init(struct job *job, const char *id, const struct train_spec *spec, int64_t now_ms) {
    memset(job, 0, sizeof *job);
    CHECK(str_copy(job->id, sizeof job->id, id));
    job->spec = *spec;
    job->reproducible = true;
    job->created_ms = job->updated_ms = now_ms;
    fields_default(&job_progress_table, &job->progress);
    job->progress.epochs = spec->epochs;
}
