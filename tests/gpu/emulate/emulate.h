/*
 * emulate.h - enough of CUDA's language for a host compiler to run the kernels of
 * engine/backend/cuda as C++: it checks their logic, and is no result of a GPU.
 *
 * Blocks run one after the other, those of a cluster together. In a block launched with
 * LAUNCH_BLOCK or launch_cluster every thread is a fiber that gives way at barriers and at warp
 * shuffles until its cluster, block or warp has arrived; in one launched with LAUNCH threads do not
 * see each other and run in a loop. Shared memory that a kernel declares is static, so that only
 * kernels whose shared memory is all dynamic may run as clusters; dynamic shared memory is each
 * block's own and filled with NaN bytes at its start. While a graph is recorded (record.h) launches
 * are kept with their arguments instead of run. What this cannot show: races between warps that no
 * order of fibers reveals, alignment, speed.
 */
#ifndef TESTS_GPU_EMULATE_EMULATE_H
#define TESTS_GPU_EMULATE_EMULATE_H

#include "engine/backend/cuda/launch.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>

using std::isfinite;
using std::isnan;
using std::max;
using std::min;

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned width = 1, unsigned height = 1, unsigned depth = 1)
        : x(width), y(height), z(depth) {
    }
};

/* What the thread that runs now sees. */
struct emulated_thread {
    dim3 thread, block, block_dim, grid;
};
extern emulated_thread *emulated;

#define threadIdx (emulated->thread)
#define blockIdx (emulated->block)
#define blockDim (emulated->block_dim)
#define gridDim (emulated->grid)

struct emulated_shape {
    dim3 grid, block;
    unsigned cluster = 1; /* blocks of one */
    size_t shared_bytes = 0;
};

/* Runs body for every thread of a grid, with fibers if threads work together; or records it. */
void emulate(const emulated_shape &wanted, bool together, const std::function<void()> &body);

/* A launch as something to call; its arguments are copied now, as CUDA does it. */
#define EMULATED_LAUNCH(kernel, ...)                                                               \
    [given = std::make_tuple(__VA_ARGS__)] {                                                       \
        std::apply([](const auto &...each) { kernel(each...); }, given);                           \
    }
#define LAUNCH(kernel, grid, block, queue, ...)                                                    \
    ((void)(queue), emulate({grid, block}, false, EMULATED_LAUNCH(kernel, __VA_ARGS__)))
#define LAUNCH_BLOCK(kernel, grid, block, queue, ...)                                              \
    ((void)(queue), emulate({grid, block}, true, EMULATED_LAUNCH(kernel, __VA_ARGS__)))

void __syncthreads();
void __syncwarp();

/* --- clusters and dynamic shared memory, as device.cuh says --- */

#define DYNAMIC_SHARED(name) unsigned char *name = emulate_shared()

template <class Shape, class... P, class... A>
void launch_cluster(const struct queue *, const Shape &shape, void (*kernel)(P...), A... args) {
    emulate({shape.grid, shape.block, shape.cluster, shape.shared_bytes}, true,
            [=] { kernel(args...); });
}

template <class Shape, class... P>
bool allow_cluster(const struct queue *, const Shape &, void (*)(P...)) {
    return true;
}

void cluster_arrive();
void cluster_wait();

unsigned char *emulate_shared(); /* The block's own. */
const void *emulate_peer(const void *mine, unsigned rank);

template <class T> const T *cluster_peer(const T *mine, unsigned rank) {
    return (const T *)emulate_peer(mine, rank);
}

struct float2 {
    float x, y;
};
static inline float2 make_float2(float x, float y) {
    return float2{x, y};
}

/* What the lanes of a warp show each other. They stay until a lane's next exchange but one. */
struct emulated_offers {
    const void *of[32];
    unsigned lane; /* the caller's own */

    template <class T> T from(unsigned other) const {
        T x;
        std::memcpy(&x, of[other], sizeof x);
        return x;
    }
};

/* Shows the warp up to 24 bytes and waits for what all lanes show. */
emulated_offers emulate_exchange(const void *bytes, size_t count);

template <class T> T __shfl_xor_sync(unsigned, T x, int mask) {
    emulated_offers all = emulate_exchange(&x, sizeof x);
    return all.from<T>(all.lane ^ (unsigned)mask);
}

/* --- products of matrices, as matrix.cuh says --- */

void load_matrices(uint32_t (&to)[4], const void *row);
void load_transposed(uint32_t (&to)[4], const void *row);
void multiply_add(float (&sum)[4], const uint32_t (&left)[4], uint32_t right0, uint32_t right1);

static inline float exp2_fast(float x) {
    return std::exp2(x);
}

static inline float __uint_as_float(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

/* To bf16: to nearest, ties to even; NaN stays NaN. */
static inline uint16_t emulate_bf16(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if (x != x)
        return 0x7fff;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
