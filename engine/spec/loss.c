#include "engine/spec/loss.h"

#include <math.h>

/* How a method fills the formula, with T the temperature. */
static const struct {
    bool distils;
    bool softens_student; /* tau = T and s = T^2; else both 1 */
    bool power_weight;
} methods[METHOD_LOSSES] = {
    [METHOD_CE] = {false, false, false},
    [METHOD_KD] = {true, true, false},
    [METHOD_TTM] = {true, false, false},
    [METHOD_WTTM] = {true, false, true},
};

struct loss_terms loss_terms_of(enum method method, double temperature, double beta,
                                double ce_weight, double label_smoothing) {
    struct loss_terms terms = {
        .ce_weight = ce_weight,
        .gamma = 1,
        .tau = 1,
        .scale = 1,
        .power_weight = methods[method].power_weight,
        .label_smoothing = label_smoothing,
    };
    if (methods[method].distils) {
        terms.distill_weight = beta;
        terms.gamma = 1 / temperature;
    }
    if (methods[method].softens_student) {
        terms.tau = temperature;
        terms.scale = temperature * temperature;
    }
    return terms;
}

/* log sum_k exp(factor x_k), about the largest term so that nothing overflows. */
static double log_sum_exp(const float *x, int n, double factor) {
    double top = -INFINITY, sum = 0;
    for (int k = 0; k < n; k++)
        top = fmax(top, factor * x[k]);
    for (int k = 0; k < n; k++)
        sum += exp(factor * x[k] - top);
    return top + log(sum);
}

static int rank_of(const float *logits, int label, int n) {
    int rank = 0;
    for (int k = 0; k < n; k++)
        rank += logits[k] > logits[label] || (logits[k] == logits[label] && k < label);
    return rank;
}

static bool all_finite(const float *x, int n) {
    for (int k = 0; k < n; k++)
        if (!isfinite(x[k]))
            return false;
    return true;
}

/* The cross entropy's part of a row; adds a (softmax(z) - y') to grad. */
static double cross_entropy(const struct loss_terms *terms, const float *z, int label, int n,
                            double *grad) {
    double lse = log_sum_exp(z, n, 1), spread = terms->label_smoothing / n, ce = 0;
    for (int k = 0; k < n; k++) {
        double log_q = z[k] - lse;
        double target = spread + (k == label ? 1 - terms->label_smoothing : 0);
        if (target > 0)
            ce -= target * log_q;
        if (grad)
            grad[k] += terms->ce_weight * (exp(log_q) - target);
    }
    return ce;
}

/* The distillation part, w s KL; adds b w (s / tau) (softmax(z / tau) - softmax(g t)) to grad. */
static double distillation(const struct loss_terms *terms, const float *z, const float *t, int n,
                           double *grad) {
    double lse_z = log_sum_exp(z, n, 1 / terms->tau);
    double lse_t = log_sum_exp(t, n, terms->gamma);
    double weight = terms->power_weight ? exp(lse_t - terms->gamma * log_sum_exp(t, n, 1)) : 1;
    double slope = terms->distill_weight * weight * terms->scale / terms->tau, divergence = 0;
    for (int k = 0; k < n; k++) {
        double log_q = z[k] / terms->tau - lse_z, log_p = terms->gamma * t[k] - lse_t;
        double p = exp(log_p);
        if (!(p <= 0)) /* NaN counts */
            divergence += p * (log_p - log_q);
        if (grad)
            grad[k] += slope * (exp(log_q) - p);
    }
    return weight * terms->scale * divergence;
}

struct loss_row loss_reference(const struct loss_terms *terms, const float *student,
                               const float *teacher, int label, int classes, double *grad) {
    bool distils = terms->distill_weight != 0;
    struct loss_row row = {.rank = rank_of(student, label, classes)};
    for (int k = 0; grad && k < classes; k++)
        grad[k] = 0;
    row.ce = cross_entropy(terms, student, label, classes, grad);
    if (distils)
        row.distill = distillation(terms, student, teacher, classes, grad);
    row.loss = terms->ce_weight * row.ce + terms->distill_weight * row.distill;
    row.finite = isfinite(row.loss) && all_finite(student, classes);
    if (!row.finite)
        row.rank = classes; /* comparisons with NaN are false: never count it as a hit */
    return row;
}
