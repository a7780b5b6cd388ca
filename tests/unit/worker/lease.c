/* A training thread that is silent for longer than its lease loses the job, before anything ends
 * its process: another worker goes on. */
#include "service/worker/reporter.h"
#include "tests/support/queue_case.h"

enum { ENOUGH_MS = 20000, LOOK_MS = 20 };

static struct outbox outbox;

static void start(struct reporter *reporter, const struct claim *claim) {
    outbox_init(&outbox);
    *reporter = (struct reporter){.pool = fixture.pool,
                                  .claim = claim,
                                  .outbox = &outbox,
                                  .lease_ms = SHORT_MS,
                                  .max_lost = MAX_LOST,
                                  .hang_ms = 10 * ENOUGH_MS,
                                  .claimed_ns = clock_mono_ns()};
    reporter_start(reporter);
}

static void a_silent_run_loses_its_lease(void) {
    fresh();
    struct job job = submit(0);
    struct claim claim;
    struct reporter reporter;
    must(claim_as(&ALICE, SHORT_MS, &claim), "claim");
    start(&reporter, &claim);
    for (int ms = 0; ms < ENOUGH_MS && get(job.id).state == JOB_RUNNING; ms += LOOK_MS) {
        reap();
        clock_sleep_ms(LOOK_MS);
    }
    T_INT(get(job.id).state, JOB_QUEUED);
    T_INT(get(job.id).lost, 1);
    enum verdict verdict = VERDICT_GO; /* one that wakes again learns of it */
    for (int ms = 0; ms < ENOUGH_MS && verdict != VERDICT_GONE; ms += LOOK_MS) {
        verdict = reporter_tick(&reporter, NULL);
        clock_sleep_ms(LOOK_MS);
    }
    T_INT(verdict, VERDICT_GONE);
    reporter_stop(&reporter);
}

int main(void) {
    setenv("DISTILLD_LOG", "error", 0);
    id_source_init(&ids);
    fixture_open(&fixture);
    T_RUN(a_silent_run_loses_its_lease);
    fixture_close(&fixture);
    id_source_release(&ids);
    return t_done();
}
