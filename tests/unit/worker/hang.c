/* A training thread that hangs ends its process; one that ticks does not. Redis is not there. */
#include "engine/base/clock.h"
#include "service/worker/reporter.h"
#include "tests/support/t.h"

#include <sys/wait.h>

enum { HANG_MS = 1000, TICK_MS = 20 };

/* Runs a reporter in a child for three times the limit; returns the child's exit status. */
static int run_child(bool ticking) {
    pid_t pid = fork();
    if (pid == 0) {
        struct redis_address address;
        CHECK(redis_address_parse(&address, "unix:///nowhere/r.sock", 100, NULL) == STATUS_OK);
        struct claim *claim = xcalloc(1, sizeof *claim);
        struct outbox outbox;
        outbox_init(&outbox);
        struct reporter reporter = {.pool = pool_create(&address, 1),
                                    .claim = claim,
                                    .outbox = &outbox,
                                    .lease_ms = 1000,
                                    .max_lost = 5,
                                    .hang_ms = HANG_MS,
                                    .claimed_ns = clock_mono_ns()};
        reporter_start(&reporter);
        for (int ms = 0; ms < 3 * HANG_MS; ms += TICK_MS) {
            if (ticking)
                reporter_tick(&reporter, NULL);
            clock_sleep_ms(TICK_MS);
        }
        _exit(42);
    }
    int how = 0;
    waitpid(pid, &how, 0);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

static void test_hang_ends_process(void) {
    T_INT(run_child(false), EXIT_FAILURE);
}

static void test_ticks_keep_it(void) {
    T_INT(run_child(true), 42);
}

int main(void) {
    T_RUN(test_hang_ends_process);
    T_RUN(test_ticks_keep_it);
    return t_done();
}
