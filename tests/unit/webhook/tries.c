/* How often and how long a message is tried before it is given up. */
#include "service/webhook/deliverer.h"
#include "tests/support/t.h"

static const int64_t HOUR_MS = 60 * 60 * 1000,
                     RETRY_MS = 5000; /* the default of webhook_retry_ms */

static void an_answer_ends_the_tries(void) {
    for (int tries = 0; tries < LIMIT_MESSAGE_TRIES; tries++) {
        T_INT(deliverer_judge(tries, 200), OUTCOME_DELIVERED);
        T_INT(deliverer_judge(tries, 299), OUTCOME_DELIVERED);
        T_INT(deliverer_judge(tries, 410), OUTCOME_GONE);
    }
}

static void only_the_tenth_failure_gives_up(void) {
    static const int failures[] = {0, 199, 300, 404, 500, 503};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        for (int tries = 0; tries < 9; tries++)
            T_INT(deliverer_judge(tries, failures[i]), OUTCOME_AGAIN);
        T_INT(deliverer_judge(9, failures[i]), OUTCOME_GIVEN_UP);
    }
}

/* A receiver may be away for a weekend; one that is back soon is not kept waiting. */
static void the_tries_take_three_days(void) {
    int64_t total_ms = 0;
    T_INT(deliverer_delay_ms(0, RETRY_MS), RETRY_MS);
    for (int tries = 0; tries < 9; tries++) {
        T_CHECK(!tries ||
                deliverer_delay_ms(tries, RETRY_MS) > deliverer_delay_ms(tries - 1, RETRY_MS));
        total_ms += deliverer_delay_ms(tries, RETRY_MS);
    }
    T_CHECK(total_ms > 72 * HOUR_MS && total_ms < 96 * HOUR_MS);
}

int main(void) {
    T_RUN(an_answer_ends_the_tries);
    T_RUN(only_the_tenth_failure_gives_up);
    T_RUN(the_tries_take_three_days);
    return t_done();
}
