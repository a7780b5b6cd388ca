/*
 * point.h - one point of a learning curve as it is stored and sent.
 *
 * (phase, epoch, step) is a point's identity: a resumed run computes it again, and the store keeps
 * one. seq numbers a job's points from 1 in the order in which they appeared.
 *
 * Threads: pure functions and constant tables.
 */
#ifndef API_POINT_H
#define API_POINT_H

#include "engine/base/clock.h"
#include "engine/spec/fields.h"

enum point_phase { POINT_TRAIN, POINT_EVAL };

struct point {
    int64_t seq;                 /* from 1; 0: no point */
    char time[CLOCK_TEXT_BYTES]; /* RFC 3339, when it was published */
    int phase;                   /* enum point_phase */
    int64_t epoch;               /* from 1 */
    int64_t step;                /* steps done */
    double loss, ce, distill;    /* distill is NaN (null) for method ce, like any missing number */
    double top1, top5;           /* fractions */
    double learning_rate, images_per_s;
};
extern const struct field_table point_table;

/* Appends one point as a JSON object without line breaks. */
void point_add_json(const struct point *point, struct str *out);

/* Reads what point_add_json wrote; CORRUPT when it is something else. */
MUST_CHECK enum status point_decode(struct point *point, const char *text, size_t len,
                                    struct error *err);

/* Appends the CSV line of column names, or of one point, each ended by CR LF (RFC 4180). */
void point_add_csv_header(struct str *out);
void point_add_csv(const struct point *point, struct str *out);

#endif
