#include "api/worker.h"

const char *const worker_states[] = {"idle", "running", "ended", "lost", NULL};

#define ROW(member) FIELD_MEMBER(struct worker_card, member)
static const struct field rows[] = {
    {ROW(name), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = JOB_WORKER_BYTES - 1,
     .doc = "Host, data directory and place there; outlives the process."},
    {ROW(state), .type = FIELD_ENUM, .choices = worker_states, .fallback = "idle",
     .doc = "Whether it runs a job; ended in order, or has not been heard of for a lease."},
    {ROW(host), .type = FIELD_TEXT, .max = WORKER_HOST_BYTES - 1, .doc = "Machine it runs on."},
    {ROW(pid), .type = FIELD_INT, .max = 1e15, .doc = "Its process there."},
    {ROW(version), .type = FIELD_TEXT, .max = WORKER_VERSION_BYTES - 1,
     .doc = "Version of distilld."},
    {ROW(engine), .type = FIELD_TEXT, .max = WORKER_ENGINE_BYTES - 1,
     .doc = "Version, backend, processor and libraries of its device auto."},
    {ROW(devices), .type = FIELD_TEXTS, .max = FIELD_TEXT_BYTES - 1,
     .doc = "Devices that a job may ask for there."},
    {ROW(since), .type = FIELD_TEXT, .max = CLOCK_TEXT_BYTES - 1, .doc = "When it started."},
    {ROW(heard), .type = FIELD_TEXT, .max = CLOCK_TEXT_BYTES - 1,
     .doc = "When it was last heard of."},
    {ROW(job), .type = FIELD_TEXT, .max = ID_BYTES - 1, .doc = "The job it has."},
    {ROW(attempt), .type = FIELD_INT, .max = 1e15, .doc = "Attempt of that job; 0 without one."},
};
#undef ROW
const struct field_table worker_card_table = FIELD_TABLE("worker", rows);

void worker_card_add_json(const struct worker_card *card, struct str *out) {
    fields_add_json(&worker_card_table, card, 0, out);
}
