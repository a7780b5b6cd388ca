/* Tally and optimiser. */
#include "engine/backend/cuda/kernels/device.cuh"
#include "engine/backend/cuda/launch_update.h"

#include "engine/backend/clip.h"
#include "engine/graph/program.h"

/* One block: rows go to shared memory in turn, then a thread adds each column, in the rows' order.
 */
__global__ void __launch_bounds__(BLOCK)
    tally(const float *rows, const void *device_step, double *out) {
    __shared__ float part[BLOCK * ROW_FIELDS];
    const struct step *step = (const struct step *)device_step;
    const int column[] = {ROW_LOSS, ROW_CE, ROW_DISTILL, ROW_TOP1, ROW_TOP5, ROW_FINITE};
    const int field[] = {TALLY_LOSS, TALLY_CE, TALLY_DISTILL, TALLY_TOP1, TALLY_TOP5};
    int id = threadIdx.x, n = step->n_valid;
    for (int first = 0; first < n; first += BLOCK) {
        int count = min(n - first, (int)BLOCK);
        for (int i = id; i < count * ROW_FIELDS; i += BLOCK)
            part[i] = rows[first * ROW_FIELDS + i];
        __syncthreads();
        if (id < 5) {
            double sum = out[field[id]];
            for (int row = 0; row < count; row++)
                sum += part[row * ROW_FIELDS + column[id]];
            out[field[id]] = sum;
        }
        if (id == WARP) {
            for (int row = 0; row < count && out[TALLY_BAD_STEP] == 0; row++)
                if (part[row * ROW_FIELDS + ROW_FINITE] == 0) {
                    out[TALLY_BAD_STEP] = (double)(step->index + 1);
                    out[TALLY_BAD_ROW] = first + row;
                }
            out[TALLY_COUNT] += count;
        }
        __syncthreads();
    }
}

extern "C" void launch_tally(const struct queue *queue, const float *rows, const void *step,
                             double *out) {
    LAUNCH_BLOCK(tally, 1, BLOCK, queue, rows, step, out);
}

/* --- optimiser --- */

/* Sums of a block's threads, pairwise; thread 0 gets it. */
__device__ static double block_sum(double x) {
    __shared__ double part[BLOCK];
    int id = threadIdx.x;
    part[id] = x;
    for (int half = BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if (id < half)
            part[id] += part[id + half];
    }
    return part[0];
}

__global__ void __launch_bounds__(BLOCK)
    sum_squares(const float *gradient, uint32_t count, double *partial) {
    double sum = 0;
    GRID_LOOP(i, count)
    sum += (double)gradient[i] * gradient[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(BLOCK)
    clip_norm(const double *partial, double max_norm, float *factor) {
    static_assert((int)BLOCK == (int)LAUNCH_CLIP_BLOCKS, "a thread for each block's sum");
    double sum = block_sum(partial[threadIdx.x]);
    if (threadIdx.x == 0)
        *factor = clip_factor(max_norm, sum);
}

/* Always as many blocks, so that every device adds in the same order. */
extern "C" void launch_clip_norm(const struct queue *queue, const float *gradient, uint32_t count,
                                 double max_norm, float *factor, double *workspace) {
    LAUNCH_BLOCK(sum_squares, LAUNCH_CLIP_BLOCKS, BLOCK, queue, gradient, count, workspace);
    LAUNCH_BLOCK(clip_norm, 1, BLOCK, queue, (const double *)workspace, max_norm, factor);
}

/* The decay counts as part of the gradient, also in nesterov's look-ahead, as in PyTorch. */
__global__ void sgd(update_args args) {
    float rate = ((const struct step *)args.step)->student[args.slot].learning_rate;
    float factor = args.factor ? *args.factor : 1.0f;
    float decay = (float)args.decay, keep = (float)args.beta1;
    GRID_LOOP(i, args.count) {
        float g = fmaf(decay, args.weight[i], factor * args.gradient[i]);
        float m = fmaf(keep, args.momentum[i], g);
        args.momentum[i] = m;
        args.weight[i] -= rate * (args.nesterov ? fmaf(keep, m, g) : m);
    }
}

extern "C" void launch_sgd(const struct queue *queue, const struct update_args *args) {
    LAUNCH(sgd, loop_blocks(queue, args->count), BLOCK, queue, *args);
}

/* One thread of each block takes the powers, in double: late in a run they are close to 1. */
__global__ void __launch_bounds__(BLOCK) adamw(update_args args) {
    __shared__ float scale, correction;
    const struct step *step = (const struct step *)args.step;
    double rate = step->student[args.slot].learning_rate, t = (double)step->index + 1;
    if (threadIdx.x == 0) {
        scale = (float)(rate / (1 - pow(args.beta1, t)));
        correction = (float)(1 / (1 - pow(args.beta2, t)));
    }
    __syncthreads();
    float factor = args.factor ? *args.factor : 1.0f, keep = (float)(1 - rate * args.decay);
    float beta1 = (float)args.beta1, beta2 = (float)args.beta2, epsilon = (float)args.epsilon;
    float rest1 = (float)(1 - args.beta1), rest2 = (float)(1 - args.beta2);
    GRID_LOOP(i, args.count) {
        float g = factor * args.gradient[i];
        float m = fmaf(beta1, args.momentum[i], rest1 * g);
        float v = fmaf(beta2, args.second_moment[i], rest2 * g * g);
        args.momentum[i] = m;
        args.second_moment[i] = v;
        args.weight[i] = keep * args.weight[i] - scale * m / (sqrtf(v * correction) + epsilon);
    }
}

extern "C" void launch_adamw(const struct queue *queue, const struct update_args *args) {
    LAUNCH_BLOCK(adamw, loop_blocks(queue, args->count), BLOCK, queue, *args);
}
