/*
 * event.h - something that happened to a job, as it is stored and sent.
 *
 * Most events are rows of the table of transitions (job.h) that were carried out; `epoch` and
 * `checkpoint` are told beside them. seq numbers a job's events from 1.
 *
 * Threads: values and a constant table.
 */
#ifndef API_EVENT_H
#define API_EVENT_H

#include "engine/base/clock.h"
#include "engine/spec/fields.h"

struct event {
    int64_t seq;
    char time[CLOCK_TEXT_BYTES]; /* RFC 3339 */
    char event[16];              /* "claim", as job_event_slug says, or "epoch", "checkpoint" */
    char state[16];              /* of the job afterwards */
    char requested[16];          /* the wish that is pending then, or "" */
    int64_t attempt;
    char worker[96];                   /* for what a worker does, or "" */
    int64_t epoch, step;               /* -1 unless the event is about one */
    char message[ERROR_MESSAGE_BYTES]; /* the reason, or "" */
};
extern const struct field_table event_table;

/* Appends one event as a JSON object without line breaks. */
void event_add_json(const struct event *event, struct str *out);

#endif
