/*
 * The losses of spec/loss.h, one row at a time while it is in the first cache: its largest logits,
 * then all exponentials and sums, then the gradient.
 *
 * With d = z - max z and u = d / tau, and v = g (t - max t):
 *
 *     CE = log sum e^d - (1 - s) d[label] - s mean d              s: label smoothing
 *     KL = sum e^v (v - u) / sum e^v - log sum e^v + log sum e^u
 *     w  = sum e^v / (sum e^(v / g))^g
 */
#include "engine/backend/cpu/vec/vec_members.h"

#include <math.h>

enum { STRETCH = 64 * VEC_LANES };     /* sums go on in double after as many numbers */
static const float FAR_BELOW = -1e30f; /* a logit that does not count, in the last vector */
enum { POWER_MAX = 64 };               /* largest temperature whose power is multiplied out */

/* What is the same for all rows. */
struct formula {
    const struct vec_loss *loss;
    bool distils, softens; /* softens: tau is not 1 */
    bool weighs;           /* by the power sum */
    int power;             /* 1 / g if that is a small integer, else 0 */
    float inverse_tau, gamma;
};

/* One row; e_* are the exponentials that the gradient needs, or NULL. */
struct row {
    const float *z, *t;
    float *e_d, *e_u, *e_v;
    int classes, label;
    float top_z, top_t;
    int rank;
    bool finite;
    double sum_d, sum_e_d, sum_e_u, sum_e_v, sum_power, sum_kl;
};

VEC_INLINE vec_f32 integer_power(vec_f32 base, int exponent) {
    vec_f32 out = vec_set(1);
    for (;; base *= base) {
        if (exponent & 1)
            out *= base;
        exponent >>= 1;
        if (!exponent)
            return out;
    }
}

VEC_INLINE vec_i32 lane_numbers(void) {
    vec_i32 v;
    for (int lane = 0; lane < VEC_LANES; lane++)
        v[lane] = lane;
    return v;
}

VEC_INLINE vec_f32 get(const float *from, int k, int width) {
    return width == VEC_LANES ? vec_load(from + k) : vec_load_part(from + k, width, FAR_BELOW);
}

VEC_INLINE void put(float *to, int k, vec_f32 v, int width) {
    if (width == VEC_LANES)
        vec_store(to + k, v);
    else
        vec_store_part(to + k, v, width);
}

VEC_INLINE int width_at(int k, int end) {
    return end - k < VEC_LANES ? end - k : VEC_LANES;
}

/* Largest logits, the label's rank, and whether all of the student's are finite. */
static void look_at(struct row *row, bool distils) {
    const vec_f32 own = vec_set(row->z[row->label]);
    vec_f32 top_z = vec_set(FAR_BELOW), top_t = top_z, zero = {0};
    vec_i32 above = {0}, index = lane_numbers(), label = (vec_i32){0} + row->label;
    for (int k = 0; k < row->classes; k += VEC_LANES, index += VEC_LANES) {
        int width = width_at(k, row->classes);
        vec_f32 z = get(row->z, k, width);
        top_z = vec_max(z, top_z);
        above -= (z > own) | ((z == own) & (index < label));
        zero += z * 0;
        if (distils)
            top_t = vec_max(get(row->t, k, width), top_t);
    }
    row->top_z = vec_largest(top_z);
    row->top_t = vec_largest(top_t);
    row->finite = vec_sum(zero) == 0;
    row->rank = 0;
    for (int lane = 0; lane < VEC_LANES; lane++)
        row->rank += above[lane];
}

/* Sums over one stretch. */
struct stretch {
    vec_f32 d, e_d, e_u, e_v, power, kl;
};

VEC_INLINE void distil(const struct formula *formula, const struct row *row, struct stretch *sum,
                       int k, vec_f32 d) {
    int width = width_at(k, row->classes);
    vec_f32 t = get(row->t, k, width) - row->top_t;
    vec_f32 v = t * formula->gamma, e_v = vec_exp(v), u = d;
    if (formula->softens) {
        u = d * formula->inverse_tau;
        vec_f32 e_u = vec_exp(u);
        sum->e_u += e_u;
        if (row->e_u)
            vec_store(row->e_u + k, e_u);
    }
    sum->e_v += e_v;
    sum->kl += vec_keep(e_v > vec_set(0), e_v * (v - u));
    if (formula->weighs)
        sum->power += formula->power ? integer_power(e_v, formula->power) : vec_exp(t);
    if (row->e_v)
        vec_store(row->e_v + k, e_v);
}

VEC_INLINE void add_stretch(const struct formula *formula, struct row *row, int k, int end) {
    struct stretch sum = {{0}, {0}, {0}, {0}, {0}, {0}};
    for (; k < end; k += VEC_LANES) {
        int width = width_at(k, end);
        vec_f32 d = get(row->z, k, width) - row->top_z, e_d = vec_exp(d);
        sum.d += width == VEC_LANES ? d : vec_keep(lane_numbers() < width, d);
        sum.e_d += e_d;
        if (row->e_d)
            put(row->e_d, k, e_d, width);
        if (formula->distils)
            distil(formula, row, &sum, k, d);
    }
    row->sum_d += (double)vec_sum(sum.d);
    row->sum_e_d += (double)vec_sum(sum.e_d);
    row->sum_e_u += (double)vec_sum(sum.e_u);
    row->sum_e_v += (double)vec_sum(sum.e_v);
    row->sum_power += (double)vec_sum(sum.power);
    row->sum_kl += (double)vec_sum(sum.kl);
}

static void add_up(const struct formula *formula, struct row *row) {
    for (int k = 0; k < row->classes; k += STRETCH)
        add_stretch(formula, row, k, row->classes - k < STRETCH ? row->classes : k + STRETCH);
    if (!formula->softens)
        row->sum_e_u = row->sum_e_d;
}

/* gradient = by_d e^d + by_u e^u + by_v e^v + everywhere, and at_label more at the label. */
struct slopes {
    float by_d, by_u, by_v, everywhere, at_label;
};

static void write_gradient(const struct formula *formula, const struct row *row,
                           const struct slopes *slopes) {
    float *gradient = row->e_d;
    for (int k = 0; k < row->classes; k += VEC_LANES) {
        int width = width_at(k, row->classes);
        vec_f32 g = get(gradient, k, width) * slopes->by_d + slopes->everywhere;
        if (formula->softens)
            g += vec_load(row->e_u + k) * slopes->by_u;
        if (formula->distils)
            g += vec_load(row->e_v + k) * slopes->by_v;
        put(gradient, k, g, width);
    }
    gradient[row->label] += slopes->at_label;
}

/* The weight w of a row and its divergence. */
struct distance {
    double weight, divergence;
};

static struct distance distance_of(const struct formula *formula, const struct row *row) {
    const struct loss_terms *terms = &formula->loss->terms;
    struct distance distance = {1, 0};
    if (!formula->distils)
        return distance;
    double log_v = log(row->sum_e_v);
    if (formula->weighs)
        distance.weight = exp(log_v - terms->gamma * log(row->sum_power));
    distance.divergence = row->sum_kl / row->sum_e_v - log_v + log(row->sum_e_u);
    return distance;
}

static void finish_gradient(const struct formula *formula, const struct row *row, double weight) {
    const struct vec_loss *loss = formula->loss;
    const struct loss_terms *terms = &loss->terms;
    double scale = loss->gradient_scale, hard = terms->ce_weight * scale;
    double soft =
        formula->distils ? terms->distill_weight * weight * terms->scale / terms->tau * scale : 0;
    double smooth = terms->label_smoothing, by_u = soft / row->sum_e_u;
    struct slopes slopes = {
        .by_d = (float)(hard / row->sum_e_d + (formula->softens ? 0 : by_u)),
        .by_u = (float)by_u,
        .by_v = formula->distils ? (float)(-soft / row->sum_e_v) : 0,
        .everywhere = (float)(-hard * smooth / row->classes),
        .at_label = (float)(-hard * (1 - smooth)),
    };
    write_gradient(formula, row, &slopes);
}

static void finish_row(const struct formula *formula, struct row *row, float *out) {
    const struct loss_terms *terms = &formula->loss->terms;
    struct distance distance = distance_of(formula, row);
    double smooth = terms->label_smoothing;
    double d_label = (double)row->z[row->label] - (double)row->top_z;
    double ce = log(row->sum_e_d) - (1 - smooth) * d_label - smooth * row->sum_d / row->classes;
    double distill = distance.weight * terms->scale * distance.divergence;
    double total = terms->ce_weight * ce + terms->distill_weight * distill;
    bool finite = isfinite(total) && row->finite;
    memset(out, 0, ROW_FIELDS * sizeof *out);
    out[ROW_LOSS] = (float)total;
    out[ROW_CE] = (float)ce;
    out[ROW_DISTILL] = (float)distill;
    out[ROW_TOP1] = finite && row->rank == 0;
    out[ROW_TOP5] = finite && row->rank < 5;
    out[ROW_FINITE] = finite;
    if (row->e_d)
        finish_gradient(formula, row, distance.weight);
}

static struct formula formula_of(const struct vec_loss *loss) {
    const struct loss_terms *terms = &loss->terms;
    double power = round(1 / terms->gamma);
    bool whole = fabs(power * terms->gamma - 1) < 1e-6 && power <= POWER_MAX;
    bool distils = terms->distill_weight != 0 && loss->teacher;
    return (struct formula){.loss = loss,
                            .distils = distils,
                            .softens = distils && terms->tau != 1,
                            .weighs = terms->power_weight,
                            .power = whole ? (int)power : 0,
                            .inverse_tau = (float)(1 / terms->tau),
                            .gamma = (float)terms->gamma};
}

void VEC(loss)(const struct vec_loss *loss, int begin, int end, float *scratch) {
    const struct formula formula = formula_of(loss);
    size_t classes = (size_t)loss->classes, padded = vec_loss_scratch_floats(loss->classes) / 2;
    for (size_t i = (size_t)begin; i < (size_t)end; i++) {
        struct row row = {.z = loss->student + i * classes,
                          .t = loss->teacher ? loss->teacher + i * classes : NULL,
                          .classes = loss->classes,
                          .label = loss->label[i]};
        if (loss->gradient) {
            row.e_d = loss->gradient + i * classes;
            row.e_u = scratch;
            row.e_v = scratch + padded;
        }
        look_at(&row, formula.distils);
        add_up(&formula, &row);
        finish_row(&formula, &row, loss->rows + i * ROW_FIELDS);
    }
}
