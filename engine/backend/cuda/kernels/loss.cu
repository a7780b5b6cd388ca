/*
 * The distillation loss of engine/spec/loss.h, its gradient and the label's rank, of logits in f32
 * or bf16; all between is f32. Where a row lies between its two sweeps depends on its length and on
 * the card (the table at the end):
 *
 *   in registers      of a warp or a block
 *   in shared memory  of a block, or of a cluster of blocks that exchange their sums
 *   nowhere           blocks sum slices of a row, a second launch reads it again
 *
 * What is kept are the exponentials, so that in the first two each logit is read once and
 * exponentiated once.
 *
 * Sums are added in a fixed order: within a thread, then by trees over lanes, warps and blocks.
 */
#include "engine/backend/cuda/kernels/loss_registers.cuh"

enum {
    SLICE_BLOCK = 320, /* threads that stream a slice of a row; two blocks with 96 registers each */
    SLICE_WARPS = SLICE_BLOCK / WARP,
    SLICE_CLASSES = 16,                       /* that a streaming thread reads at once */
    SLICES_MOST = WARP,                       /* of a row: one a lane */
    QUAD = 4,                                 /* numbers in 16 bytes of shared memory */
    SUMS_BYTES = 48,                          /* of row_sums there: whole packs */
    SCRATCH = (SLICE_WARPS + 1) * SUMS_BYTES, /* in front of what is kept there */
    RESERVED = 1024                           /* bytes of it that a block costs on top */
};
static_assert(sizeof(row_sums) <= size_t(SUMS_BYTES), "sums of a warp");

/* --- in registers --- */

template <class T, int GROUP, int E>
__global__ void __launch_bounds__(BLOCK, 2) loss_in_registers(loss_args args) {
    __shared__ row_sums scratch[GROUP / WARP];
    int n = (int)(blockIdx.x * (blockDim.x / GROUP) + threadIdx.x / GROUP);
    if (n < args.n) /* whole groups */
        loss_of_row<T, GROUP, E>(args, n, threadIdx.x % GROUP, scratch);
}

template <class T, int GROUP, int E>
static void in_registers(const struct queue *queue, const struct loss_args *args,
                         const struct loss_plan *) {
    int filling = (args->n + queue->processors - 1) / queue->processors; /* rows of a processor */
    int rows = min(max(filling, 1), BLOCK / GROUP);
    LAUNCH_BLOCK((loss_in_registers<T, GROUP, E>), (unsigned)((args->n + rows - 1) / rows),
                 rows * GROUP, queue, *args);
}

/* --- in slices --- */

/* V numbers of pack i, in shared memory: quads of neighbours lie side by side, so that the threads
 * of a warp meet no bank twice. */
template <int V> __device__ static void keep(float *kept, int packs, int i, const float (&x)[V]) {
#pragma unroll
    for (int q = 0; q < V / QUAD; q++)
        *(pack<float, QUAD> *)(kept + QUAD * (q * packs + i)) = {x[QUAD * q], x[QUAD * q + 1],
                                                                 x[QUAD * q + 2], x[QUAD * q + 3]};
}

template <int V> __device__ static void find(const float *kept, int packs, int i, float (&x)[V]) {
#pragma unroll
    for (int q = 0; q < V / QUAD; q++) {
        pack<float, QUAD> quad = *(const pack<float, QUAD> *)(kept + QUAD * (q * packs + i));
#pragma unroll
        for (int j = 0; j < QUAD; j++)
            x[QUAD * q + j] = quad.at[j];
    }
}

/* Exponentials of a slice in shared memory: of the student, then of the teacher. A thread finds
 * only what it has kept itself. */
template <class T> struct kept_slice {
    static constexpr int V = logit_row<T>::V;
    float *z, *t;
    int packs;

    __device__ kept_slice(void *shared, int packs)
        : z((float *)shared), t(z + packs * V), packs(packs) {
    }

    /* Brings packs of the thread before end to larger maxima; seldom needed. */
    __device__ void raise(const logit_row<T> &row, int end, float up_z, float up_t) {
        float by_z = row.soft ? 1.0f : exp2_fast(up_z * LOG2_E);
        float by_t = exp2_fast(up_t * row.by_gamma), add_z = row.soft ? up_z : 0.0f;
        for (int i = threadIdx.x; i < end; i += SLICE_BLOCK)
            for (int q = i; q < packs * V / QUAD; q += packs) {
                change(z + QUAD * q, by_z, add_z);
                if (row.teacher)
                    change(t + QUAD * q, by_t, 0.0f);
            }
    }

    __device__ static void change(float *quad, float factor, float summand) {
#pragma unroll
        for (int j = 0; j < QUAD; j++)
            quad[j] = quad[j] * factor + summand;
    }
};

/* The edge is the first block's; read each time, because registers are few. */
template <class T> __device__ static edge edge_of(const logit_row<T> &row, int rank) {
    return read_edge(row, rank == 0 ? threadIdx.x : row.classes);
}

/* Sums a slice, the rank-th of the row, and the edge. Keeps the exponentials, about the maxima that
 * the sums have in the end, unless kept is NULL. */
template <class T>
__device__ static row_sums sum_slice(const loss_args &args, int n, logit_row<T> &row,
                                     const slice<T> &from, int rank, kept_slice<T> *kept) {
    constexpr int V = logit_row<T>::V, P = SLICE_CLASSES / V;
    row_sums sums = no_sums();
    packs_of_thread<T, P> packs(threadIdx.x, SLICE_BLOCK);
    packs.read(from);
    read_label(args, n, row);
    add_edge(row, sums, edge_of(row, rank));
    while (packs.first < from.packs) {
#pragma unroll
        for (int i = 0; i < P; i++) {
            if (packs.at(i) >= from.packs)
                continue;
            float z[V], t[V];
            packs.get(row, i, z, t);
            float top_z = top_of(z, sums.top_z), top_t = top_of(t, sums.top_t);
            if (top_z > sums.top_z + row.slack_z || top_t > sums.top_t + row.slack_t) {
                if (kept)
                    kept->raise(row, packs.at(i), sums.top_z - top_z, sums.top_t - top_t);
                raise(row, sums, top_z, top_t);
            }
            add_classes(row, sums, z, t, from.k + packs.at(i) * V);
            if (kept)
                keep(kept->z, from.packs, packs.at(i), z);
            if (kept && from.t)
                keep(kept->t, from.packs, packs.at(i), t);
        }
        packs.first += P * SLICE_BLOCK;
        packs.read(from);
    }
    return sums;
}

/* Stores the gradient from exponentials that were kept, ... */
template <class T>
__device__ static void store_kept(const logit_row<T> &row, const slice<T> &of,
                                  const kept_slice<T> &kept, const row_factors &factors) {
    constexpr int V = logit_row<T>::V;
    for (int i = threadIdx.x; i < of.packs; i += SLICE_BLOCK) {
        float z[V], t[V] = {};
        find(kept.z, of.packs, i, z);
        if (of.t)
            find(kept.t, of.packs, i, t);
        store_gradient(row, factors, z, t, of.k + i * V);
    }
}

/* ... or from logits that are read again. */
template <class T>
__device__ static void store_again(const logit_row<T> &row, const slice<T> &from,
                                   const row_factors &factors, const row_sums &sums) {
    constexpr int V = logit_row<T>::V, P = SLICE_CLASSES / V;
    packs_of_thread<T, P> packs(threadIdx.x, SLICE_BLOCK);
    for (; packs.first < from.packs; packs.first += P * SLICE_BLOCK) {
        packs.read(from);
#pragma unroll
        for (int i = 0; i < P; i++) {
            if (packs.at(i) >= from.packs)
                continue;
            float z[V], t[V];
            packs.get(row, i, z, t);
#pragma unroll
            for (int v = 0; v < V; v++)
                exponentials(row, sums, z[v], t[v]);
            store_gradient(row, factors, z, t, from.k + packs.at(i) * V);
        }
    }
}

/* Of the blocks of a cluster, in every thread. Who has called this waits before it returns. */
template <class T>
__device__ static void add_blocks(const logit_row<T> &row, row_sums &sums, row_sums *scratch,
                                  int cluster) {
    int lane = threadIdx.x % WARP;
    if (threadIdx.x == 0)
        copy_sums(*scratch, sums);
    cluster_arrive();
    cluster_wait();
    sums = no_sums();
    if (lane < cluster)
        copy_sums(sums, *cluster_peer(scratch, lane));
    cluster_arrive();
    add_lanes(row, sums);
}

/* A cluster has a row, each of its blocks a slice of `most` packs. */
template <class T>
__global__ void __launch_bounds__(SLICE_BLOCK, 2)
    loss_in_shared(loss_args args, int cluster, int most) {
    DYNAMIC_SHARED(shared);
    row_sums *scratch = (row_sums *)shared;
    int n = (int)blockIdx.x / cluster, rank = (int)blockIdx.x % cluster;
    logit_row<T> row = row_of<T>(args, n);
    slice<T> mine = slice_of(row, rank * most, (rank + 1) * most);
    kept_slice<T> kept(shared + SCRATCH, mine.packs);
    row_sums sums = sum_slice(args, n, row, mine, rank, &kept);
    float top_z = sums.top_z, top_t = sums.top_t;
    add_warps<SLICE_WARPS>(row, sums, scratch);
    if (cluster > 1)
        add_blocks(row, sums, scratch + SLICE_WARPS, cluster);
    row_factors factors = end_row(args, row, sums, n, rank == 0 && threadIdx.x == 0);
    if (row.gradient) {
        store_edge(row, factors, sums, edge_of(row, rank));
        store_kept(row, mine, kept, lowered(row, factors, sums, top_z, top_t));
    }
    if (cluster > 1)
        cluster_wait();
}

template <class T>
static void in_shared(const struct queue *queue, const struct loss_args *args,
                      const struct loss_plan *plan) {
    cluster_shape shape = {(unsigned)(args->n * plan->blocks), SLICE_BLOCK, (unsigned)plan->blocks,
                           plan->shared_bytes};
    launch_cluster(queue, shape, loss_in_shared<T>, *args, plan->blocks, plan->packs);
}

template <class T>
__global__ void __launch_bounds__(SLICE_BLOCK, 2)
    loss_sums(loss_args args, row_sums *out, int slices, int most) {
    __shared__ row_sums scratch[SLICE_WARPS];
    int n = (int)blockIdx.x / slices, rank = (int)blockIdx.x % slices;
    logit_row<T> row = row_of<T>(args, n);
    slice<T> mine = slice_of(row, rank * most, (rank + 1) * most);
    row_sums sums = sum_slice<T>(args, n, row, mine, rank, nullptr);
    add_warps<SLICE_WARPS>(row, sums, scratch);
    if (threadIdx.x == 0)
        copy_sums(out[blockIdx.x], sums);
}

template <class T>
__global__ void __launch_bounds__(SLICE_BLOCK, 2)
    loss_gradient(loss_args args, const row_sums *in, int slices, int most) {
    int n = (int)blockIdx.x / slices, rank = (int)blockIdx.x % slices, lane = threadIdx.x % WARP;
    logit_row<T> row = row_of<T>(args, n);
    slice<T> mine = slice_of(row, rank * most, (rank + 1) * most);
    read_label(args, n, row);
    row_sums sums = no_sums();
    if (lane < slices)
        copy_sums(sums, in[n * slices + lane]);
    add_lanes(row, sums);
    row_factors factors = end_row(args, row, sums, n, rank == 0 && threadIdx.x == 0);
    if (!row.gradient)
        return;
    store_edge(row, factors, sums, edge_of(row, rank));
    store_again(row, mine, factors, sums);
}

template <class T>
static void in_two_launches(const struct queue *queue, const struct loss_args *args,
                            const struct loss_plan *plan) {
    unsigned blocks = (unsigned)(args->n * plan->blocks);
    row_sums *sums = (row_sums *)args->workspace;
    LAUNCH_BLOCK(loss_sums<T>, blocks, SLICE_BLOCK, queue, *args, sums, plan->blocks, plan->packs);
    LAUNCH_BLOCK(loss_gradient<T>, blocks, SLICE_BLOCK, queue, *args, (const row_sums *)sums,
                 plan->blocks, plan->packs);
}

/* --- which of them --- */

typedef void variant_fn(const struct queue *queue, const struct loss_args *args,
                        const struct loss_plan *plan);

enum { REGISTERS = 5 }; /* variants before the one in shared memory, before the last */

/* Up to how many classes; of shared memory that depends on the card. */
struct variant {
    int classes;
    variant_fn *run;
};
template <class T>
static const variant variants[] = {
    {WARP * logit_row<T>::V, in_registers<T, WARP, logit_row<T>::V>},
    {WARP * 16, in_registers<T, WARP, 16>},
    {WARP * 32, in_registers<T, WARP, 32>},
    {BLOCK * 16, in_registers<T, BLOCK, 16>},
    {BLOCK * 32, in_registers<T, BLOCK, 32>},
    {0, in_shared<T>},
    {INT32_MAX, in_two_launches<T>},
};

static int parts(int whole, int part) {
    return (whole + part - 1) / part;
}

/* Bytes of shared memory of a block, if so many share a row. */
static size_t slice_bytes(const struct loss_size &size, int packs, int blocks) {
    size_t classes = (size_t)parts(packs, blocks) * (PACK_BYTES / (size.bf16 ? 2 : 4));
    return SCRATCH + classes * sizeof(float) * (size.teacher ? 2 : 1);
}

/* As many blocks as let two of them lie on a processor, so that one reads while the other writes,
 * and as fill the card; as few as possible. */
static int cluster_blocks(const struct queue *queue, const struct loss_size &size, int packs) {
    int blocks = 1;
    while (blocks < queue->cluster_most &&
           (slice_bytes(size, packs, blocks) + RESERVED > queue->shared_bytes / 2 ||
            size.n * blocks < queue->processors))
        blocks *= 2;
    return blocks;
}

template <class T>
static bool plan_shared(const struct queue *queue, const struct loss_size &size, int packs,
                        struct loss_plan *plan) {
    int blocks = cluster_blocks(queue, size, packs);
    for (; blocks > 0; blocks /= 2) {
        size_t bytes = slice_bytes(size, packs, blocks);
        cluster_shape shape = {(unsigned)(size.n * blocks), SLICE_BLOCK, (unsigned)blocks, bytes};
        *plan = {REGISTERS, blocks, parts(packs, blocks), bytes, 0};
        if (bytes <= queue->shared_bytes && allow_cluster(queue, shape, loss_in_shared<T>))
            return true;
    }
    return false;
}

/* Enough blocks to keep the card busy to the end, but none that has nothing to do. */
static struct loss_plan plan_slices(const struct queue *queue, const struct loss_size &size,
                                    int packs) {
    int most = min(parts(8 * queue->processors, size.n), (int)SLICES_MOST);
    int blocks = max(min(most, packs / (2 * SLICE_BLOCK)), 1);
    size_t bytes = (size_t)size.n * (size_t)blocks * sizeof(row_sums);
    return {REGISTERS + 1, blocks, parts(packs, blocks), 0, bytes};
}

template <class T>
static struct loss_plan plan_of(const struct queue *queue, const struct loss_size &size) {
    int packs = size.classes / logit_row<T>::V;
    struct loss_plan plan = {0, 1, packs, 0, 0};
    while (plan.variant < REGISTERS && size.classes > variants<T>[plan.variant].classes)
        plan.variant++;
    if (plan.variant < REGISTERS || plan_shared<T>(queue, size, packs, &plan))
        return plan;
    return plan_slices(queue, size, packs);
}

extern "C" struct loss_plan launch_distill_loss_plan(const struct queue *queue,
                                                     struct loss_size size) {
    return size.bf16 ? plan_of<bf16>(queue, size) : plan_of<float>(queue, size);
}

extern "C" void launch_distill_loss(const struct queue *queue, const struct loss_plan *plan,
                                    const struct loss_args *args) {
    (args->student.bf16 ? variants<bf16> : variants<float>)[plan->variant].run(queue, args, plan);
}
