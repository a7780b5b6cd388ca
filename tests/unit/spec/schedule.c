/* The learning rate at the epochs where it changes. */
#include "engine/spec/schedule.h"
#include "tests/support/t.h"

enum { STEPS = 782 }; /* of CIFAR-100 at batch 64 */

static struct train_spec spec;

static double rate_of_epoch(int64_t epoch, int64_t step) {
    return schedule_rate(&spec, (epoch - 1) * STEPS + step, STEPS);
}

static void test_multistep_is_the_published_recipe(void) {
    static const struct {
        int first, last;
        double rate;
    } spans[] = {{1, 150, 0.05}, {151, 180, 0.005}, {181, 210, 0.0005}, {211, 240, 0.00005}};
    fields_default(&train_spec_table, &spec);
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
        for (int epoch = spans[i].first; epoch <= spans[i].last; epoch++) {
            T_NEAR(rate_of_epoch(epoch, 0), spans[i].rate, 1e-16);
            T_NEAR(rate_of_epoch(epoch, STEPS - 1), spans[i].rate, 1e-16);
        }
}

static void test_constant(void) {
    fields_default(&train_spec_table, &spec);
    spec.schedule = SCHEDULE_CONSTANT;
    T_NEAR(rate_of_epoch(1, 0), 0.05, 0);
    T_NEAR(rate_of_epoch(240, 781), 0.05, 0);
}

static void test_cosine_goes_from_rate_to_minimum(void) {
    fields_default(&train_spec_table, &spec);
    spec.schedule = SCHEDULE_COSINE;
    spec.epochs = 10;
    spec.min_learning_rate = 0.01;
    T_NEAR(rate_of_epoch(1, 0), 0.05, 0);
    T_NEAR(rate_of_epoch(6, 0), 0.03, 1e-15);                                      /* half way */
    T_NEAR(rate_of_epoch(3, STEPS / 2), 0.05 - 0.04 * 0.14644660940672624, 1e-12); /* a quarter */
    T_NEAR(schedule_rate(&spec, 10 * STEPS, STEPS), 0.01, 1e-15);
    T_CHECK(rate_of_epoch(10, STEPS - 1) > 0.01);
}

static void test_warmup_rises_linearly(void) {
    fields_default(&train_spec_table, &spec);
    spec.warmup_epochs = 0.5;
    T_NEAR(schedule_rate(&spec, 0, 8), 0.05 / 4, 1e-17);
    T_NEAR(schedule_rate(&spec, 1, 8), 0.05 / 2, 1e-17);
    T_NEAR(schedule_rate(&spec, 3, 8), 0.05, 0);
    T_NEAR(schedule_rate(&spec, 4, 8), 0.05, 0);
    spec.schedule = SCHEDULE_COSINE;
    spec.epochs = 2;
    T_NEAR(schedule_rate(&spec, 3, 8), 0.05, 0);
    T_NEAR(schedule_rate(&spec, 4, 8), 0.05, 0); /* the cosine begins after the warm-up */
    T_NEAR(schedule_rate(&spec, 10, 8), 0.025, 1e-15);
}

/* The DeiT recipe: 20 epochs from a thousandth, then a cosine to 1e-5; its cosine moves once an
 * epoch, ours every step. */
static void test_warmup_from_a_factor(void) {
    fields_default(&train_spec_table, &spec);
    spec.schedule = SCHEDULE_COSINE;
    spec.epochs = 300;
    spec.learning_rate = 1e-3;
    spec.min_learning_rate = 1e-5;
    spec.warmup_epochs = 20;
    spec.warmup_factor = 1e-3;
    T_NEAR(rate_of_epoch(1, 0), 1e-6, 1e-20);
    T_NEAR(rate_of_epoch(1, 1), 1e-6 + 999e-6 / (20 * STEPS - 1), 1e-18);
    T_NEAR(rate_of_epoch(20, STEPS - 1), 1e-3, 1e-18);
    T_NEAR(rate_of_epoch(21, 0), 1e-3, 1e-18);
    T_NEAR(rate_of_epoch(161, 0), 505e-6, 1e-15); /* half way of the 280 epochs */
    spec.warmup_factor = 1;
    T_NEAR(rate_of_epoch(1, 0), 1e-3, 1e-18);
    spec.warmup_factor = 0;
    T_NEAR(rate_of_epoch(1, 0), 0, 0);
    spec.warmup_epochs = 1.0 / STEPS; /* a single step has no rise */
    T_NEAR(rate_of_epoch(1, 0), 1e-3, 1e-18);
}

int main(void) {
    T_RUN(test_multistep_is_the_published_recipe);
    T_RUN(test_constant);
    T_RUN(test_cosine_goes_from_rate_to_minimum);
    T_RUN(test_warmup_rises_linearly);
    T_RUN(test_warmup_from_a_factor);
    return t_done();
}
