/* Token buckets: what a caller may send, what comes back, and who makes room. */
#include "service/http/rate.h"

#include "api/limits.h"
#include "engine/base/str.h"
#include "tests/support/t.h"

static const int64_t SECOND_NS = 1000 * 1000 * 1000;
static const struct rate two = {.per_s = 2, .burst = 3};

static void a_burst_then_the_rate(void) {
    struct rate_table *table = rate_table_create();
    int64_t now = 5 * SECOND_NS;
    for (int i = 0; i < 3; i++) {
        struct rate_left left = rate_take(table, "a", &two, now);
        T_CHECK(left.allowed);
        T_NEAR(left.tokens, 2 - i, 1e-9);
        T_NEAR(left.refill_s, (1 + i) / 2.0, 1e-9);
    }
    struct rate_left left = rate_take(table, "a", &two, now);
    T_CHECK(!left.allowed);
    T_NEAR(left.wait_s, 0.5, 1e-9);
    T_CHECK(!rate_take(table, "a", &two, now + SECOND_NS / 4).allowed);
    T_CHECK(rate_take(table, "a", &two, now + SECOND_NS / 2).allowed);
    T_CHECK(!rate_take(table, "a", &two, now + SECOND_NS / 2).allowed);
    rate_table_free(table);
}

static void no_more_than_the_burst_is_saved(void) {
    struct rate_table *table = rate_table_create();
    int allowed = 0;
    rate_take(table, "a", &two, SECOND_NS);
    for (int i = 0; i < 10; i++)
        allowed += rate_take(table, "a", &two, 1000 * SECOND_NS).allowed;
    T_INT(allowed, 3);
    rate_table_free(table);
}

static void callers_do_not_share(void) {
    struct rate_table *table = rate_table_create();
    for (int i = 0; i < 3; i++)
        T_CHECK(rate_take(table, "a", &two, SECOND_NS).allowed);
    T_CHECK(!rate_take(table, "a", &two, SECOND_NS).allowed);
    T_CHECK(rate_take(table, "b", &two, SECOND_NS).allowed);
    rate_table_free(table);
}

/* A time from before, of a thread that was held up, neither gives nor takes. */
static void time_does_not_run_back(void) {
    struct rate_table *table = rate_table_create();
    for (int i = 0; i < 3; i++)
        T_CHECK(rate_take(table, "a", &two, 10 * SECOND_NS).allowed);
    T_CHECK(!rate_take(table, "a", &two, 2 * SECOND_NS).allowed);
    T_CHECK(!rate_take(table, "a", &two, 10 * SECOND_NS).allowed);
    rate_table_free(table);
}

/* However many there are, who asks all the time keeps its bucket. */
static void the_table_has_an_end(void) {
    struct rate_table *table = rate_table_create();
    char name[RATE_NAME_BYTES];
    for (int i = 0; i < 3; i++)
        T_CHECK(rate_take(table, "busy", &two, 1).allowed);
    for (int i = 0; i < 20 * LIMIT_RATE_CALLERS; i++) {
        snprintf(name, sizeof name, "caller %d", i);
        T_CHECK(rate_take(table, name, &two, i + 2).allowed);
        if (rate_take(table, "busy", &two, i + 2).allowed)
            T_FAIL("the bucket was lost after %d callers", i);
    }
    rate_table_free(table);
}

int main(void) {
    T_RUN(a_burst_then_the_rate);
    T_RUN(no_more_than_the_burst_is_saved);
    T_RUN(callers_do_not_share);
    T_RUN(time_does_not_run_back);
    T_RUN(the_table_has_an_end);
    return t_done();
}
