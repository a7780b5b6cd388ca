#include "engine/cli/samples.h"

#include "engine/base/mem.h"

#include <math.h>
#include <stdlib.h>

void samples_init(struct samples *samples, int64_t capacity) {
    *samples = (struct samples){xcalloc((size_t)capacity, sizeof *samples->value), 0, capacity};
}

void samples_add(struct samples *samples, double value) {
    if (samples->count < samples->capacity)
        samples->value[samples->count++] = value;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_median(struct samples *samples) {
    if (!samples->count)
        return NAN;
    qsort(samples->value, (size_t)samples->count, sizeof *samples->value, compare);
    return (samples->value[(samples->count - 1) / 2] + samples->value[samples->count / 2]) / 2;
}

double samples_min(struct samples *samples) {
    if (!samples->count)
        return NAN;
    qsort(samples->value, (size_t)samples->count, sizeof *samples->value, compare);
    return samples->value[0];
}

void samples_release(struct samples *samples) {
    free(samples->value);
}
