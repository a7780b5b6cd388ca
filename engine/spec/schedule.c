#include "engine/spec/schedule.h"

#include <math.h>

/* A run's place on its schedule, in steps. */
struct position {
    double step, warmup, total;
    int64_t epoch; /* from 1 */
};

static double multistep(const struct train_spec *spec, const struct position *at) {
    double factor = 1; /* repeated multiplication: the same bits with every C library */
    for (int i = 0; i < spec->milestones.count; i++)
        if (at->epoch > spec->milestones.item[i])
            factor *= spec->rate_factor;
    return spec->learning_rate * factor;
}

static double cosine(const struct train_spec *spec, const struct position *at) {
    double done = at->step - at->warmup, length = at->total - at->warmup;
    if (done <= 0)
        return spec->learning_rate;
    double share = (1 + cos(M_PI * fmin(done / length, 1))) / 2;
    return spec->min_learning_rate + (spec->learning_rate - spec->min_learning_rate) * share;
}

static double constant(const struct train_spec *spec, const struct position *at) {
    (void)at;
    return spec->learning_rate;
}

/* From warmup_factor in the first step to 1 in the last one of the warm-up. */
static double warmup_share(const struct train_spec *spec, const struct position *at) {
    if (isnan(spec->warmup_factor) || at->warmup == 1)
        return (at->step + 1) / at->warmup;
    return spec->warmup_factor + (1 - spec->warmup_factor) * at->step / (at->warmup - 1);
}

double schedule_rate(const struct train_spec *spec, int64_t step, int64_t steps_per_epoch) {
    static double (*const schedules[])(const struct train_spec *, const struct position *) = {
        [SCHEDULE_MULTISTEP] = multistep,
        [SCHEDULE_COSINE] = cosine,
        [SCHEDULE_CONSTANT] = constant,
    };
    struct position at = {
        .step = (double)step,
        .warmup = round(spec->warmup_epochs * (double)steps_per_epoch),
        .total = (double)(spec->epochs * steps_per_epoch),
        .epoch = step / steps_per_epoch + 1,
    };
    double rate = schedules[spec->schedule](spec, &at);
    return at.step < at.warmup ? rate * warmup_share(spec, &at) : rate;
}
