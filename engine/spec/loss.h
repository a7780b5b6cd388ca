/*
 * loss.h - the distillation losses as rows of one formula.
 *
 *     L     = a CE(y, softmax(z)) + b w s KL( softmax(g t) || softmax(z / tau) )
 *     w     = 1, or the power sum  sum_k softmax(t)_k^g = exp( lse(g t) - g lse(t) )
 *     dL/dz = a (softmax(z) - y') + b w (s / tau) (softmax(z / tau) - softmax(g t))
 *
 * z student logits, t teacher logits, y label, y' its one-hot, smoothed with label_smoothing.
 * Sum over classes, mean over the batch. A new logit loss is a new row.
 */
#ifndef ENGINE_SPEC_LOSS_H
#define ENGINE_SPEC_LOSS_H

#include "engine/spec/train_spec.h"

struct loss_terms {
    double ce_weight;       /* a */
    double distill_weight;  /* b; 0 means the teacher is not read */
    double gamma;           /* g */
    double tau;             /* student temperature */
    double scale;           /* s */
    bool power_weight;      /* w is the power sum */
    double label_smoothing; /* in [0, 1) */
};

/* What the formula computes for one row. */
struct loss_row {
    double loss, ce, distill; /* distill is w s KL, without b */
    int rank;                 /* classes with a higher logit, or an equal one and a lower index */
    bool finite;
};

/* The terms of a method at a temperature; weights from the caller. */
struct loss_terms loss_terms_of(enum method method, double temperature, double beta,
                                double ce_weight, double label_smoothing);

/* The formula in double, two-pass, plainly written: the oracle of every kernel. grad may be NULL;
 * it receives dL/dz of this row, not yet divided by the batch. teacher may be NULL when
 * distill_weight is 0. */
struct loss_row loss_reference(const struct loss_terms *terms, const float *student,
                               const float *teacher, int label, int classes, double *grad);

#endif
