/*
 * schedule.h - the learning rate as a function of the step.
 *
 * multistep follows the published CIFAR recipe: with epochs numbered from 1, the rate is
 * multiplied by rate_factor for every milestone m with epoch > m. cosine goes from learning_rate
 * to min_learning_rate over all steps after the warm-up, step by step. The warm-up multiplies the
 * rate by what rises linearly, step by step over warmup_epochs, from warmup_factor (1 / steps of
 * the warm-up if it is not given) to 1 in its last step.
 */
#ifndef ENGINE_SPEC_SCHEDULE_H
#define ENGINE_SPEC_SCHEDULE_H

#include "engine/spec/train_spec.h"

/* The rate of step (counted from 0 over the whole run) with so many steps an epoch. */
double schedule_rate(const struct train_spec *spec, int64_t step, int64_t steps_per_epoch);

#endif
