/*
 * samples.h - measured times and what is reported of them.
 *
 * Ownership: samples_init ... samples_release.
 */
#ifndef ENGINE_CLI_SAMPLES_H
#define ENGINE_CLI_SAMPLES_H

#include <stdint.h>

struct samples {
    double *value;
    int64_t count, capacity;
};

void samples_init(struct samples *samples, int64_t capacity); /* Room for so many. */
void samples_add(struct samples *samples, double value);      /* Dropped where there is no room. */
double samples_median(struct samples *samples);               /* Sorts them; NaN of none. */
double samples_min(struct samples *samples);                  /* The same. */
void samples_release(struct samples *samples);                /* Frees. */

#endif
