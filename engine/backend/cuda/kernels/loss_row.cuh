/*
 * loss_row.cuh - a row of the distillation loss (engine/spec/loss.h) as sums about its maxima.
 *
 * With z and t the logits of student and teacher, z' and t' their maxima:
 *
 *     Z = sum exp(z - z')    N = sum exp((z - z') / tau)    G = sum exp(g (t - t'))
 *     D = sum exp(g (t - t')) (g tau t - z), z and t about the label's logits
 *     KL = (D / G - g tau t' + z') / tau + ln (N / G)       (the label's logits taken off z', t')
 *     dL/dz = (a / Z) exp(z - z') + (c / N) exp((z - z') / tau) - (c / G) exp(g (t - t')) - a y'
 *
 * so that one sweep gives the sums, a second one the gradient. Only differences to a maximum are
 * exponentiated, so nothing overflows, and with the power sum taken in the log domain nothing that
 * matters underflows. Sums of different threads have different maxima: to add them, they are
 * brought to the larger one. Where a thread does not know all of its classes at the start, its
 * maxima are those of the first ones, until an exponent exceeds them by more than SLACK: the
 * formulas hold about any number near the maximum. Where tau is 1, N is Z.
 *
 * A row is a head of fewer classes than a pack of 16 bytes has, packs, and a tail: rows of a number
 * of classes that is no multiple of the pack begin anywhere. Head and tail are the edge, at most
 * one class a thread.
 */
#ifndef ENGINE_BACKEND_CUDA_KERNELS_LOSS_ROW_CUH
#define ENGINE_BACKEND_CUDA_KERNELS_LOSS_ROW_CUH

#include "engine/backend/cuda/kernels/device.cuh"
#include "engine/backend/cuda/launch_update.h"

#include "engine/graph/program.h"

#include <math.h>

#define LOG2_E 1.44269504f
#define LOWEST (-3.402823466e38f) /* of a maximum: differences to it are no NaN */
#define SLACK 20.0f               /* exp(SLACK) is far from overflow, and so is a sum of such */

enum row_sum {
    SUM_Z,
    SUM_TAU,
    SUM_GAMMA,
    SUM_T,
    SUM_CROSS,
    SUM_RATIO,
    SUM_LOGITS,
    SUM_ABOVE,
    ROW_SUMS
};

/* Sums over some classes of a row. SUM_T is of exp(t - t'), for the power sum; SUM_RATIO is
 * N - G about the label's logits, with errors of its own size, where tau is not 1 and KL is
 * multiplied by its square; SUM_LOGITS of z, for label smoothing; SUM_ABOVE counts classes that
 * rank above the label, infinite if a z is -inf. */
struct row_sums {
    float top_z, top_t;
    float sum[ROW_SUMS];
};

template <class T> struct logit_row {
    static constexpr int V = PACK_BYTES / sizeof(T);
    const T *student, *teacher; /* teacher: NULL in the cross entropy */
    T *gradient;                /* NULL: not wanted */
    int classes, head, packs, label;
    bool distils, soft, power, smooth;
    float by_tau, by_gamma, lift; /* log2(e) / tau, log2(e) g, g tau */
    float slack_z, slack_t;       /* of logits, so that no exponent exceeds SLACK */
    float at_z, at_t;             /* what SUM_CROSS and SUM_LOGITS are about */
    float label_z, below;         /* the label's logit, and the float below it */
};

template <class T> __device__ static logit_row<T> row_of(const loss_args &args, int n) {
    const struct step *step = (const struct step *)args.step;
    size_t first = (size_t)n * args.classes;
    logit_row<T> row = {};
    row.student = (const T *)args.student.data + first;
    row.teacher = args.teacher.data ? (const T *)args.teacher.data + first : nullptr;
    row.gradient = args.gradient.data ? (T *)args.gradient.data + first : nullptr;
    row.classes = args.classes;
    row.head = min((int)(-(uintptr_t)row.student % PACK_BYTES / sizeof(T)), args.classes);
    row.packs = (args.classes - row.head) / row.V;
    row.distils = row.teacher && step->student[args.slot].distill_weight != 0.0f;
    row.soft = args.tau != 1.0f;
    row.power = args.power_weight;
    row.smooth = args.label_smoothing > 0.0f;
    row.by_tau = LOG2_E / args.tau;
    row.by_gamma = LOG2_E * args.gamma;
    row.lift = args.gamma * args.tau;
    row.slack_z = SLACK * fminf(1.0f, args.tau);
    row.slack_t = SLACK / fmaxf(1.0f, args.gamma);
    return row;
}

/* Apart from the rest, because it waits for the label: first let the logits be on their way. */
template <class T>
__device__ static void read_label(const loss_args &args, int n, logit_row<T> &row) {
    row.label = args.label[n];
    row.label_z = load(row.student[row.label]);
    row.below = nextafterf(row.label_z, -INFINITY);
    row.at_z = isfinite(row.label_z) ? row.label_z : 0.0f;
    row.at_t = row.distils ? load(row.teacher[row.label]) : 0.0f;
    row.at_t = isfinite(row.at_t) ? row.at_t : 0.0f;
}

/* --- sums --- */

__device__ inline row_sums no_sums() {
    row_sums sums = {LOWEST, LOWEST, {}};
    return sums;
}

/* Brings the sums to larger maxima. Where a factor is 0, what was summed does not count. */
template <class T>
__device__ static void raise(const logit_row<T> &row, row_sums &sums, float top_z, float top_t) {
    float up_z = sums.top_z - top_z, up_t = sums.top_t - top_t;
    float by_gamma = exp2_fast(up_t * row.by_gamma);
    sums.sum[SUM_Z] *= exp2_fast(up_z * LOG2_E);
    sums.sum[SUM_TAU] *= exp2_fast(up_z * row.by_tau);
    sums.sum[SUM_GAMMA] *= by_gamma;
    sums.sum[SUM_T] *= exp2_fast(up_t * LOG2_E);
    sums.sum[SUM_CROSS] *= by_gamma;
    sums.sum[SUM_RATIO] *= by_gamma;
    sums.top_z = top_z;
    sums.top_t = top_t;
}

/* Number by number: a copy of the struct would go through local memory. */
__device__ static void copy_sums(row_sums &to, const row_sums &from) {
    to.top_z = from.top_z;
    to.top_t = from.top_t;
#pragma unroll
    for (int i = 0; i < ROW_SUMS; i++)
        to.sum[i] = from.sum[i];
}

/* Of all lanes of the warp, in every lane. */
template <class T> __device__ static void add_lanes(const logit_row<T> &row, row_sums &sums) {
    raise(row, sums, warp_max(sums.top_z), warp_max(sums.top_t));
#pragma unroll
    for (int i = 0; i < ROW_SUMS; i++)
        sums.sum[i] = warp_sum(sums.sum[i]);
}

/* Of all threads of a block of WARPS warps, in every thread. */
template <int WARPS, class T>
__device__ static void add_warps(const logit_row<T> &row, row_sums &sums, row_sums *scratch) {
    int lane = threadIdx.x % WARP;
    add_lanes(row, sums);
    if (lane == 0)
        copy_sums(scratch[threadIdx.x / WARP], sums);
    __syncthreads();
    sums = no_sums();
    if (lane < WARPS)
        copy_sums(sums, scratch[lane]);
    add_lanes(row, sums);
}

/* --- classes --- */

template <int V> __device__ static float top_of(const float (&x)[V], float top) {
#pragma unroll
    for (int i = 0; i < V; i++)
        top = fmaxf(top, x[i]);
    return top;
}

/* Replaces t by exp(g (t - t')) and z by exp(z - z'), or by z - z' where tau wants another power.
 */
template <class T>
__device__ static void exponentials(const logit_row<T> &row, const row_sums &sums, float &z,
                                    float &t) {
    z -= sums.top_z;
    t = exp2_fast((t - sums.top_t) * row.by_gamma);
    if (!row.soft)
        z = exp2_fast(z * LOG2_E);
}

/* What only some methods sum: SUM_TAU, SUM_T, SUM_LOGITS. */
template <class T, int V>
__device__ static void add_extras(const logit_row<T> &row, row_sums &sums, const float (&z)[V],
                                  const float (&t)[V]) {
    if (row.soft)
#pragma unroll
        for (int i = 0; i < V; i++) {
            float ratio = (z[i] - row.at_z - row.lift * (t[i] - row.at_t)) * (row.by_tau / LOG2_E);
            sums.sum[SUM_TAU] += exp2_fast((z[i] - sums.top_z) * row.by_tau);
            sums.sum[SUM_RATIO] += exp2_fast((t[i] - sums.top_t) * row.by_gamma) * expm1f(ratio);
        }
    if (row.power)
#pragma unroll
        for (int i = 0; i < V; i++)
            sums.sum[SUM_T] += exp2_fast((t[i] - sums.top_t) * LOG2_E);
    if (row.smooth)
#pragma unroll
        for (int i = 0; i < V; i++)
            sums.sum[SUM_LOGITS] += z[i] - row.at_z;
}

/* Classes k.. that rank above the label: larger logits, and equal ones of lower classes. */
template <class T, int V>
__device__ static void add_rank(const logit_row<T> &row, row_sums &sums, const float (&z)[V],
                                int k) {
    float limit = k + V <= row.label ? row.below : row.label_z, low = z[0];
#pragma unroll
    for (int i = 0; i < V; i++) {
        sums.sum[SUM_ABOVE] += z[i] > limit ? 1.0f : 0.0f;
        low = fminf(low, z[i]);
    }
    if (k <= row.label && row.label < k + V)
#pragma unroll
        for (int i = 0; i < V; i++)
            sums.sum[SUM_ABOVE] += k + i < row.label && z[i] == row.label_z ? 1.0f : 0.0f;
    if (low == -INFINITY) /* no other sum need show it */
        sums.sum[SUM_ABOVE] = INFINITY;
}

/* Adds the classes k.. to sums whose maxima are about theirs or larger; z and t become
 * exponentials. */
template <class T, int V>
__device__ static void add_classes(const logit_row<T> &row, row_sums &sums, float (&z)[V],
                                   float (&t)[V], int k) {
    add_extras(row, sums, z, t);
    add_rank(row, sums, z, k);
#pragma unroll
    for (int i = 0; i < V; i++) {
        float cross = row.lift * (t[i] - row.at_t) - (z[i] - row.at_z);
        exponentials(row, sums, z[i], t[i]);
        sums.sum[SUM_Z] += row.soft ? exp2_fast(z[i] * LOG2_E) : z[i];
        sums.sum[SUM_GAMMA] += t[i];
        if (!(t[i] <= 0.0f)) /* 0 takes infinite logits with it; NaN counts */
            sums.sum[SUM_CROSS] += t[i] * cross;
    }
}

/* --- the end of a row --- */

/* Factors of the exponentials in the gradient, and what is taken off. */
struct row_factors {
    float z, tau, gamma, even, label;
};

__device__ static void store_row(const loss_args &args, int n, float ce, float distill,
                                 float above) {
    const struct step *step = (const struct step *)args.step;
    float distill_weight = step->student[args.slot].distill_weight;
    float *row = args.rows + (size_t)n * ROW_FIELDS;
    float loss = step->student[args.slot].ce_weight * ce;
    if (distill_weight != 0.0f)
        loss += distill_weight * distill;
    bool finite = isfinite(loss) && above < INFINITY;
    float rank = finite ? above : (float)args.classes;
    for (int i = 0; i < ROW_FIELDS; i++)
        row[i] = 0;
    row[ROW_LOSS] = loss;
    row[ROW_CE] = ce;
    row[ROW_DISTILL] = distill;
    row[ROW_TOP1] = rank < 1.0f;
    row[ROW_TOP5] = rank < 5.0f;
    row[ROW_FINITE] = finite;
}

/* ln (a / b), exact to its own size where a and b are near. */
__device__ static float log_ratio(float a, float b) {
    float part = (a - b) / b;
    return fabsf(part) < 0.5f ? log1pf(part) : logf(a / b);
}

/* Turns a row's sums into its factors; one thread stores what is told of the row. */
template <class T>
__device__ static row_factors end_row(const loss_args &args, const logit_row<T> &row,
                                      const row_sums &sums, int n, bool stores) {
    const struct step *step = (const struct step *)args.step;
    float ce_weight = step->student[args.slot].ce_weight, share = 1.0f / (float)args.n;
    float log_z = logf(sums.sum[SUM_Z]), log_gamma = logf(sums.sum[SUM_GAMMA]);
    float sum_tau = row.soft ? sums.sum[SUM_TAU] : sums.sum[SUM_Z];
    float top_z = sums.top_z - row.at_z;
    float weight = 0.0f;
    if (row.distils)
        weight = args.scale;
    if (row.distils && row.power)
        weight *= expf(log_gamma - args.gamma * logf(sums.sum[SUM_T]));
    if (stores) {
        float ce = log_z + (1.0f - args.label_smoothing) * (sums.top_z - row.label_z);
        if (row.smooth)
            ce += args.label_smoothing * (top_z - sums.sum[SUM_LOGITS] / (float)args.classes);
        float cross = sums.sum[SUM_CROSS] / sums.sum[SUM_GAMMA] -
                      (row.lift * (sums.top_t - row.at_t) - top_z);
        float divergence = cross / args.tau + log_ratio(sum_tau, sums.sum[SUM_GAMMA]);
        float ratio = sums.sum[SUM_RATIO] / sums.sum[SUM_GAMMA];
        if (row.soft && ratio > -0.5f && ratio < 2.0f)
            divergence = sums.sum[SUM_CROSS] / (args.tau * sums.sum[SUM_GAMMA]) + log1pf(ratio);
        if (divergence < 0.0f) /* by rounding */
            divergence = 0.0f;
        store_row(args, n, ce, row.distils ? weight * divergence : 0.0f, sums.sum[SUM_ABOVE]);
    }
    row_factors factors = {};
    float slope =
        row.distils ? step->student[args.slot].distill_weight * weight / args.tau * share : 0.0f;
    factors.z = ce_weight * share / sums.sum[SUM_Z];
    factors.tau = slope / sum_tau;
    if (!row.soft)
        factors.z += factors.tau;
    factors.gamma = row.distils ? slope / sums.sum[SUM_GAMMA] : 0.0f;
    factors.even = ce_weight * share * args.label_smoothing / (float)args.classes;
    factors.label = ce_weight * share * (1.0f - args.label_smoothing);
    return factors;
}

/* For exponentials about smaller maxima than the row's. */
template <class T>
__device__ static row_factors lowered(const logit_row<T> &row, row_factors factors,
                                      const row_sums &sums, float top_z, float top_t) {
    float up_z = top_z - sums.top_z, up_t = top_t - sums.top_t;
    factors.z *= exp2_fast(up_z * LOG2_E);
    factors.tau *= exp2_fast(up_z * row.by_tau);
    factors.gamma *= exp2_fast(up_t * row.by_gamma);
    return factors;
}

/* Stores the gradient of the classes k.. from what exponentials() left. */
template <class T, int V>
__device__ static void store_gradient(const logit_row<T> &row, const row_factors &factors,
                                      float (&z)[V], const float (&t)[V], int k) {
    if (row.soft) {
#pragma unroll
        for (int i = 0; i < V; i++)
            z[i] =
                factors.z * exp2_fast(z[i] * LOG2_E) + factors.tau * exp2_fast(z[i] * row.by_tau);
    } else {
#pragma unroll
        for (int i = 0; i < V; i++)
            z[i] *= factors.z;
    }
#pragma unroll
    for (int i = 0; i < V; i++)
        z[i] -= factors.gamma * t[i] + factors.even;
    if (k <= row.label && row.label < k + V)
#pragma unroll
        for (int i = 0; i < V; i++)
            z[i] -= k + i == row.label ? factors.label : 0.0f;
    store_pack<V>(row.gradient + k, z);
}

#endif
