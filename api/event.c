#include "api/event.h"

#define ROW(member) FIELD_MEMBER(struct event, member)

static const struct field rows[] = {
    {ROW(seq), .type = FIELD_INT, .min = 1, .max = 1e15, .doc = "Number of the event, from 1."},
    {ROW(time), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .max = CLOCK_TEXT_BYTES - 1,
     .doc = "When it happened."},
    {ROW(event), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .max = 15,
     .doc = "What happened: an event of the table of transitions, epoch (one has been evaluated) "
            "or checkpoint (the newest that has been written)."},
    {ROW(state), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .max = 15,
     .doc = "State of the job afterwards."},
    {ROW(requested), .type = FIELD_TEXT, .max = 15, .doc = "The wish that was pending then."},
    {ROW(attempt), .type = FIELD_INT, .max = 1e15, .fallback = "0",
     .doc = "Attempt that it belongs to."},
    {ROW(worker), .type = FIELD_TEXT, .max = 95, .doc = "The worker that took or lost the job."},
    {ROW(epoch), .type = FIELD_INT, .min = -1, .max = 1e15, .fallback = "-1",
     .doc = "Epoch that it is about, -1: none."},
    {ROW(step), .type = FIELD_INT, .min = -1, .max = 1e15, .fallback = "-1",
     .doc = "Steps done, -1: it is about none."},
    {ROW(message), .type = FIELD_TEXT, .max = ERROR_MESSAGE_BYTES - 1,
     .doc = "Why: the error of a failed attempt, or that a lease ran out."},
};
#undef ROW

const struct field_table event_table = FIELD_TABLE("event", rows);

void event_add_json(const struct event *event, struct str *out) {
    fields_add_json(&event_table, event, 0, out);
}
