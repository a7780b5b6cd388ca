/*
 * loss_registers.cuh - parts of a row of the loss that threads read as packs, and rows that fit
 * into the registers of a warp or a block.
 */
#ifndef ENGINE_BACKEND_CUDA_KERNELS_LOSS_REGISTERS_CUH
#define ENGINE_BACKEND_CUDA_KERNELS_LOSS_REGISTERS_CUH

#include "engine/backend/cuda/kernels/loss_row.cuh"

/* --- parts of a row --- */

/* A pack as it is read: words, because a register holds one number of 16 bits if it is told so. */
typedef pack<uint32_t, PACK_BYTES / 4> words;

__device__ static void unpack(const words &from, float (&to)[4]) {
#pragma unroll
    for (int i = 0; i < 4; i++)
        to[i] = __uint_as_float(from.at[i]);
}

__device__ static void unpack(const words &from, float (&to)[8]) { /* of bf16 */
#pragma unroll
    for (int i = 0; i < 4; i++) {
        to[2 * i] = __uint_as_float(from.at[i] << 16);
        to[2 * i + 1] = __uint_as_float(from.at[i] & 0xffff0000u);
    }
}

/* Packs that a group of threads has, of the class k and those behind it; t may be NULL. */
template <class T> struct slice {
    const words *z, *t;
    int packs, k;
};

template <class T>
__device__ static slice<T> slice_of(const logit_row<T> &row, int begin, int end) {
    int k = row.head + begin * row.V;
    return {(const words *)(row.student + k),
            row.teacher ? (const words *)(row.teacher + k) : nullptr,
            max(min(end, row.packs) - begin, 0), k};
}

/* P packs of a thread: first, first + step, ... as far as the slice has them. */
template <class T, int P> struct packs_of_thread {
    static constexpr int V = logit_row<T>::V;
    int first, step;
    words z[P], t[P];

    __device__ packs_of_thread(int id, int threads) : first(id), step(threads) {
    }

    __device__ int at(int i) const {
        return first + i * step;
    }

    __device__ void read(const slice<T> &from) {
#pragma unroll
        for (int i = 0; i < P; i++) {
            if (at(i) < from.packs)
                z[i] = from.z[at(i)];
            if (at(i) < from.packs && from.t)
                t[i] = from.t[at(i)];
        }
    }

    /* A teacher that does not count is read all the same: waiting for the step would cost more. */
    __device__ void get(const logit_row<T> &row, int i, float (&to_z)[V], float (&to_t)[V]) const {
        unpack(z[i], to_z);
        unpack(t[i], to_t);
#pragma unroll
        for (int v = 0; v < V; v++)
            to_t[v] = row.distils ? to_t[v] : 0.0f;
    }
};

/* A class of head or tail that a thread has, or none (k < 0). */
struct edge {
    int k;
    float z[1], t[1];
};

template <class T> __device__ static edge read_edge(const logit_row<T> &row, int id) {
    int behind = row.head + row.packs * row.V, k = id < row.head ? id : behind + id - row.head;
    edge edge = {k < row.classes ? k : -1, {0}, {0}};
    if (edge.k >= 0) {
        edge.z[0] = load(row.student[k]);
        edge.t[0] = row.teacher ? load(row.teacher[k]) : 0.0f;
    }
    return edge;
}

template <class T>
__device__ static void add_edge(const logit_row<T> &row, row_sums &sums, const edge &edge) {
    if (edge.k < 0)
        return;
    float z[1] = {edge.z[0]}, t[1] = {row.distils ? edge.t[0] : 0.0f};
    raise(row, sums, top_of(z, sums.top_z), top_of(t, sums.top_t));
    add_classes(row, sums, z, t, edge.k);
}

template <class T>
__device__ static void store_edge(const logit_row<T> &row, const row_factors &factors,
                                  const row_sums &sums, const edge &edge) {
    if (edge.k < 0)
        return;
    float z[1] = {edge.z[0]}, t[1] = {row.distils ? edge.t[0] : 0.0f};
    exponentials(row, sums, z[0], t[0]);
    store_gradient(row, factors, z, t, edge.k);
}

/* --- in registers --- */

/* Row n by GROUP threads, each E classes and one of the edge; scratch: sums of their warps, NULL if
 * they are one. */
template <class T, int GROUP, int E>
__device__ static void loss_of_row(const loss_args &args, int n, int id, row_sums *scratch) {
    constexpr int V = logit_row<T>::V, P = E / V;
    logit_row<T> row = row_of<T>(args, n);
    packs_of_thread<T, P> packs(id, GROUP);
    packs.read(slice_of(row, 0, row.packs));
    edge edge = read_edge(row, id);
    read_label(args, n, row);
    row_sums sums = no_sums();
    add_edge(row, sums, edge);
    float z[P][V], t[P][V], top_z = sums.top_z, top_t = sums.top_t;
#pragma unroll
    for (int i = 0; i < P; i++)
        if (packs.at(i) < row.packs) {
            packs.get(row, i, z[i], t[i]);
            top_z = top_of(z[i], top_z);
            top_t = top_of(t[i], top_t);
        }
    raise(row, sums, top_z, top_t);
#pragma unroll
    for (int i = 0; i < P; i++)
        if (packs.at(i) < row.packs)
            add_classes(row, sums, z[i], t[i], row.head + packs.at(i) * V);
    if (GROUP > WARP)
        add_warps<GROUP / WARP>(row, sums, scratch);
    else
        add_lanes(row, sums);
    row_factors factors = end_row(args, row, sums, n, id == 0);
    if (!row.gradient)
        return;
    store_edge(row, factors, sums, edge);
    factors = lowered(row, factors, sums, top_z, top_t); /* what the exponentials are about */
#pragma unroll
    for (int i = 0; i < P; i++)
        if (packs.at(i) < row.packs)
            store_gradient(row, factors, z[i], t[i], row.head + packs.at(i) * V);
}

#endif
