/*
 * job.h - a training job as the API shows it, its states, and the transitions that are legal.
 *
 * The transitions are one table. The store carries each event out as one atomic script, and a
 * test walks this table against it; nobody else decides what may follow what. A wish that only
 * the worker can meet (pause, cancel) is kept in `requested` until it is met.
 *
 * Ownership: a struct job is a value without pointers.
 * Threads:   pure functions and constant tables.
 * Units:     milliseconds since 1970 UTC for times, 0 for "not yet".
 */
#ifndef API_JOB_H
#define API_JOB_H

#include "api/ids.h"
#include "api/key.h"
#include "api/point.h"
#include "engine/spec/train_spec.h"

/* name, slug on the wire, finished */
#define JOB_STATE_MAP(X)                                                                           \
    X(QUEUED, "queued", false)                                                                     \
    X(RUNNING, "running", false)                                                                   \
    X(PAUSED, "paused", false)                                                                     \
    X(SUCCEEDED, "succeeded", true)                                                                \
    X(FAILED, "failed", true)                                                                      \
    X(CANCELLED, "cancelled", true)

enum job_state {
#define JOB_STATE_ENUM(name, slug, finished) JOB_##name,
    JOB_STATE_MAP(JOB_STATE_ENUM)
#undef JOB_STATE_ENUM
        JOB_STATE_COUNT,
    JOB_ABSENT = JOB_STATE_COUNT /* no such job: before submit, after remove */
};

/* name, slug on the wire */
#define JOB_REQUEST_MAP(X)                                                                         \
    X(NONE, "none")                                                                                \
    X(PAUSE, "pause")                                                                              \
    X(CANCEL, "cancel")

enum job_request {
#define JOB_REQUEST_ENUM(name, slug) JOB_REQUEST_##name,
    JOB_REQUEST_MAP(JOB_REQUEST_ENUM)
#undef JOB_REQUEST_ENUM
        JOB_REQUEST_COUNT
};

/* name, slug (also the script's name), what happens */
#define JOB_EVENT_MAP(X)                                                                           \
    X(SUBMIT, "submit", "a user creates the job")                                                  \
    X(CLAIM, "claim", "a worker takes it; the attempt number rises")                               \
    X(RENEW, "renew", "the worker is alive; the lease is prolonged")                               \
    X(PROGRESS, "progress", "the worker publishes progress or metrics")                            \
    X(FINISH, "finish", "the worker hands in the model")                                           \
    X(FAIL, "fail", "the worker reports that the job cannot succeed")                              \
    X(RELEASE, "release", "the worker has stopped and gives the job back")                         \
    X(REAP, "reap", "the lease ran out: the worker died")                                          \
    X(POISON, "poison", "the lease ran out once too often")                                        \
    X(FORSAKE, "forsake", "a job that it depends on ended without success")                        \
    X(EXPIRE, "expire", "its deadline has passed, or it ran for too long")                         \
    X(CANCEL, "cancel", "a user wants it to end")                                                  \
    X(PAUSE, "pause", "a user wants it to wait")                                                   \
    X(RESUME, "resume", "a user wants it to go on")                                                \
    X(RETRY, "retry", "a user wants a failed job to run again")                                    \
    X(EDIT, "edit", "a user changes name, tags or priority")                                       \
    X(REMOVE, "remove", "a user deletes a finished job")

enum job_event {
#define JOB_EVENT_ENUM(name, slug, doc) JOB_EVENT_##name,
    JOB_EVENT_MAP(JOB_EVENT_ENUM)
#undef JOB_EVENT_ENUM
        JOB_EVENT_COUNT
};

/* One row: the event in this state with this wish pending leads to that state and wish. What is
 * not in the table is a CONFLICT (NOT_FOUND from JOB_ABSENT). */
struct job_transition {
    enum job_event event;
    enum job_state from;
    enum job_request requested;
    enum job_state to;
    enum job_request requested_then;
};
extern const struct job_transition job_transitions[];
extern const int job_transition_count;

/* The row that applies, or NULL when the event is not legal there. */
const struct job_transition *job_transition_find(enum job_event event, enum job_state from,
                                                 enum job_request requested);

extern const char *const job_state_slugs[];             /* of all states; NULL ends them */
const char *job_state_slug(enum job_state state);       /* "running"; "absent" for JOB_ABSENT. */
const char *job_request_slug(enum job_request request); /* "pause". */
const char *job_event_slug(enum job_event event);       /* "submit". */
bool job_state_finished(enum job_state state);          /* Nothing but retry or remove follows. */

/* The reverse; false when the text is none of them. */
bool job_state_parse(const char *slug, enum job_state *state);
bool job_request_parse(const char *slug, enum job_request *request);

/* How far a run is; a field table, as JSON in the store and on the wire. */
struct job_progress {
    int64_t epoch, epochs, step, steps;
    int64_t checkpoint;               /* steps that the last checkpoint holds; 0: none yet */
    double fraction;                  /* 0 to 1 */
    double images_per_s, remaining_s; /* NaN: not known yet */
    char phase[16];                   /* "preparing", "training", "evaluating", "saving" */
};
extern const struct field_table job_progress_table;

/* Why a job failed. */
struct job_error {
    enum status code; /* STATUS_OK: no error */
    char field[ERROR_FIELD_BYTES];
    char message[ERROR_MESSAGE_BYTES];
    int64_t step;    /* steps done when it happened, -1: before the first */
    int64_t attempt; /* which attempt it was */
};

enum { JOB_WORKER_BYTES = 96 };

struct job {
    char id[ID_BYTES];
    enum job_state state;
    enum job_request requested;
    struct train_spec spec;        /* finished */
    int64_t attempt;               /* 0 before the first claim; rises with each claim */
    int64_t lost;                  /* times in a row that the lease of a worker ran out */
    char worker[JOB_WORKER_BYTES]; /* who runs it or ran it last; "" before */
    struct job_progress progress;
    struct point train, eval, best; /* latest train and eval point, best eval; seq 0: none yet */
    char model[ID_BYTES];           /* the student's id once there is one, else "" */
    char rerun_of[ID_BYTES];        /* the job whose spec this runs again, or "" */
    char owner[KEY_NAME_BYTES];     /* the key that submitted it; "": nobody was asked for one */
    bool reproducible; /* false once it went on from another kind of machine's checkpoint */
    struct job_error error;
    struct text_list waits_for; /* jobs that it depends on and that have not succeeded yet */
    int64_t created_ms, started_ms, finished_ms, updated_ms;
};

/* A fresh queued job of a finished spec, created now. */
void job_init(struct job *job, const char *id, const struct train_spec *spec, int64_t now_ms);

#endif
