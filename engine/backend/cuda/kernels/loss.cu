/*
 * The distillation loss of engine/spec/loss.h, its gradient and the label's rank. A group of
 * threads has a row: a warp up to 1024 classes, a block beyond. Up to 32 logits a thread stay in
 * registers (24 in blocks), so that each is read once; longer rows are read again for each sweep.
 *
 * Only differences to the row's maximum are exponentiated, so nothing overflows, and the power sum
 * is taken in the log domain.
 */
#include "engine/backend/cuda/kernels/device.cuh"
#include "engine/backend/cuda/launch_update.h"

#include "engine/graph/program.h"

#include <math.h>

enum { ROW_BLOCK = 512 };

/* One row's logits, as a group of GROUP threads sees them; E of each in registers, or 0. */
template <int GROUP, int E> struct logits {
    const float *student, *teacher; /* teacher may be NULL */
    int classes, id;
    float z[E ? E : 1], t[E ? E : 1];

    __device__ void read() {
#pragma unroll
        for (int e = 0; e < E; e++) {
            int k = id + e * GROUP;
            z[e] = k < classes ? student[k] : 0.0f;
            t[e] = k < classes && teacher ? teacher[k] : 0.0f;
        }
    }

    /* f(class, student's logit, teacher's logit) for this thread's classes */
    template <class F> __device__ void each(F f) const {
        if constexpr (E > 0) {
#pragma unroll
            for (int e = 0; e < E; e++)
                if (id + e * GROUP < classes)
                    f(id + e * GROUP, z[e], t[e]);
        } else {
            for (int k = id; k < classes; k += GROUP)
                f(k, student[k], teacher ? teacher[k] : 0.0f);
        }
    }
};

/* Sums over the group's threads, in every thread. */
template <int GROUP, int N> __device__ static void group_sums(float (&x)[N]) {
#pragma unroll
    for (int i = 0; i < N; i++)
        x[i] = warp_sum(x[i]);
    if constexpr (GROUP > WARP) {
        __shared__ float part[N][GROUP / WARP];
        __syncthreads(); /* those of the last time have been read */
        for (int i = 0; i < N; i++)
            if (threadIdx.x % WARP == 0)
                part[i][threadIdx.x / WARP] = x[i];
        __syncthreads();
        for (int i = 0; i < N; i++) {
            x[i] = 0;
            for (int warp = 0; warp < GROUP / WARP; warp++)
                x[i] += part[i][warp];
        }
    }
}

template <int GROUP> __device__ static float group_max(float x) {
    x = warp_max(x);
    if constexpr (GROUP > WARP) {
        __shared__ float part[GROUP / WARP];
        __syncthreads();
        if (threadIdx.x % WARP == 0)
            part[threadIdx.x / WARP] = x;
        __syncthreads();
        x = part[0];
        for (int warp = 1; warp < GROUP / WARP; warp++)
            x = fmaxf(x, part[warp]);
    }
    return x;
}

/* What the second sweep leaves for the third. */
struct row_terms {
    float top_z, top_t;
    float log_z, log_tau, log_t; /* logs of the sums of exp about the maxima */
    float ce_weight, slope, weight;
    bool distils;
};

template <int GROUP, int E>
__device__ static row_terms sums_of_row(const loss_args &args, const logits<GROUP, E> &row) {
    row_terms terms = {};
    const struct step *step = (const struct step *)args.step;
    float distill_weight = step->student[args.slot].distill_weight;
    terms.ce_weight = step->student[args.slot].ce_weight;
    terms.distils = distill_weight != 0.0f && row.teacher;
    float top_z = -INFINITY, top_t = -INFINITY;
    row.each([&](int, float z, float t) {
        top_z = fmaxf(top_z, z);
        top_t = fmaxf(top_t, t);
    });
    terms.top_z = top_z = group_max<GROUP>(top_z);
    terms.top_t = top_t = group_max<GROUP>(top_t);
    float sum[4] = {0, 0, 0, 0}; /* student, student / tau, gamma teacher, teacher */
    row.each([&](int, float z, float t) {
        sum[0] += expf(z - top_z);
        if (!terms.distils)
            return;
        sum[1] += expf((z - top_z) / args.tau);
        sum[2] += expf(args.gamma * (t - top_t));
        if (args.power_weight)
            sum[3] += expf(t - top_t);
    });
    group_sums<GROUP>(sum);
    terms.log_z = logf(sum[0]);
    if (terms.distils) {
        terms.log_tau = logf(sum[1]);
        terms.log_t = logf(sum[2]);
        float log_weight = terms.log_t - args.gamma * logf(args.power_weight ? sum[3] : 1.0f);
        terms.weight = args.scale * (args.power_weight ? expf(log_weight) : 1.0f);
        terms.slope = distill_weight * terms.weight / args.tau;
    }
    return terms;
}

/* Sums over a row that the third sweep takes. */
enum { SUM_CE, SUM_DIVERGENCE, SUM_ABOVE, SUM_BAD, SUMS };

template <int GROUP, int E>
__device__ static void third_sweep(const loss_args &args, const logits<GROUP, E> &row,
                                   const row_terms &terms, int n, float (&sum)[SUMS]) {
    int label = args.label[n];
    float spread = args.label_smoothing / (float)args.classes, at_label = row.student[label];
    float *gradient = args.gradient ? args.gradient + (size_t)n * args.classes : nullptr;
    float share = 1.0f / (float)args.n;
    row.each([&](int k, float z, float t) {
        float target = spread + (k == label ? 1.0f - args.label_smoothing : 0.0f);
        float log_q = z - terms.top_z - terms.log_z;
        float g = terms.ce_weight * (expf(log_q) - target);
        if (target > 0.0f)
            sum[SUM_CE] -= target * log_q;
        if (terms.distils) {
            float log_soft = (z - terms.top_z) / args.tau - terms.log_tau;
            float log_p = args.gamma * (t - terms.top_t) - terms.log_t, p = expf(log_p);
            if (!(p <= 0.0f)) /* NaN counts */
                sum[SUM_DIVERGENCE] += p * (log_p - log_soft);
            g += terms.slope * (expf(log_soft) - p);
        }
        sum[SUM_ABOVE] += z > at_label || (z == at_label && k < label) ? 1.0f : 0.0f;
        sum[SUM_BAD] += isfinite(z) ? 0.0f : 1.0f;
        if (gradient)
            gradient[k] = g * share;
    });
    group_sums<GROUP>(sum);
}

__device__ static void store_row(const loss_args &args, const row_terms &terms, int n,
                                 const float (&sum)[SUMS]) {
    float *row = args.rows + (size_t)n * ROW_FIELDS;
    const struct step *step = (const struct step *)args.step;
    float distill = terms.distils ? terms.weight * sum[SUM_DIVERGENCE] : 0.0f;
    float loss = terms.ce_weight * sum[SUM_CE];
    if (terms.distils)
        loss += step->student[args.slot].distill_weight * distill;
    bool finite = isfinite(loss) && sum[SUM_BAD] == 0.0f;
    float rank = finite ? sum[SUM_ABOVE] : (float)args.classes;
    for (int i = 0; i < ROW_FIELDS; i++)
        row[i] = 0;
    row[ROW_LOSS] = loss;
    row[ROW_CE] = sum[SUM_CE];
    row[ROW_DISTILL] = distill;
    row[ROW_TOP1] = rank < 1.0f;
    row[ROW_TOP5] = rank < 5.0f;
    row[ROW_FINITE] = finite;
}

template <int GROUP, int E>
__global__ void __launch_bounds__(GROUP > BLOCK ? GROUP : BLOCK) distill_loss(loss_args args) {
    int n = (int)(blockIdx.x * (blockDim.x / GROUP) + threadIdx.x / GROUP);
    if (n >= args.n)
        return; /* whole groups */
    logits<GROUP, E> row;
    row.student = args.student + (size_t)n * args.classes;
    row.teacher = args.teacher ? args.teacher + (size_t)n * args.classes : nullptr;
    row.classes = args.classes;
    row.id = threadIdx.x % GROUP;
    row.read();
    row_terms terms = sums_of_row(args, row);
    float sum[SUMS] = {0, 0, 0, 0};
    third_sweep(args, row, terms, n, sum);
    if (row.id == 0)
        store_row(args, terms, n, sum);
}

template <int GROUP, int E>
static void launch(const struct queue *queue, const struct loss_args *args) {
    int rows = GROUP > BLOCK ? 1 : BLOCK / GROUP;
    LAUNCH_BLOCK((distill_loss<GROUP, E>), (unsigned)((args->n + rows - 1) / rows), rows * GROUP,
                 queue, *args);
}

/* How many logits a thread keeps, by the number of classes. */
typedef void launch_fn(const struct queue *queue, const struct loss_args *args);
static const struct {
    int classes; /* up to */
    launch_fn *launch;
} variants[] = {
    {4 * WARP, launch<WARP, 4>},           {8 * WARP, launch<WARP, 8>},
    {16 * WARP, launch<WARP, 16>},         {32 * WARP, launch<WARP, 32>},
    {4 * ROW_BLOCK, launch<ROW_BLOCK, 4>}, {24 * ROW_BLOCK, launch<ROW_BLOCK, 24>},
    {INT32_MAX, launch<ROW_BLOCK, 0>},
};

extern "C" void launch_distill_loss(const struct queue *queue, const struct loss_args *args) {
    int i = 0;
    while (args->classes > variants[i].classes)
        i++;
    variants[i].launch(queue, args);
}
