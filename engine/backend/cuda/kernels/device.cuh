/*
 * device.cuh - what all kernels share: launching, numbers of either type, packs of 16 bytes,
 * reductions in a fixed order.
 *
 * Kernels whose threads work together are launched with LAUNCH_BLOCK, all others with LAUNCH. With
 * CUDA both are the same; a host emulation (tests/gpu/emulate) runs the second kind as a loop.
 */
#ifndef ENGINE_BACKEND_CUDA_KERNELS_DEVICE_CUH
#define ENGINE_BACKEND_CUDA_KERNELS_DEVICE_CUH

#include "engine/backend/cuda/launch.h"

/* Blocks of neighbours that work together, and the dynamic shared memory of each. */
struct cluster_shape {
    unsigned grid, block, cluster; /* cluster: blocks of one; 1: there are none */
    size_t shared_bytes;
};

#ifdef DISTILL_EMULATE
#include "tests/gpu/emulate/emulate.h"
#else
#include "engine/backend/cuda/kernels/cluster.cuh"
#include "engine/backend/cuda/kernels/matrix.cuh"
#include <cuda_bf16.h>
#define LAUNCH(kernel, grid, block, queue, ...)                                                    \
    kernel<<<grid, block, 0, (cudaStream_t)(queue)->stream>>>(__VA_ARGS__)
#define LAUNCH_BLOCK LAUNCH

/* 2^x to two units in the last place; what would be denormal is 0. */
__device__ inline float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
#endif

enum { BLOCK = 256, WARP = 32, PACK_BYTES = 16 };

/* --- numbers --- */

struct bf16 {
    uint16_t bits;
};

__device__ inline float load(const float &x) {
    return x;
}

__device__ inline float load(const bf16 &x) {
    return __uint_as_float((uint32_t)x.bits << 16);
}

__device__ inline void store(float &to, float x) {
    to = x;
}

/* To nearest, ties to even. */
__device__ inline void store(bf16 &to, float x) {
#ifdef DISTILL_EMULATE
    to.bits = emulate_bf16(x);
#else
    to.bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
#endif
}

template <class T, int V> struct alignas(sizeof(T) * V) pack { T at[V]; };

/* V neighbours as floats. */
template <int V, class T> __device__ inline void load_pack(float (&out)[V], const T *from) {
    pack<T, V> in = *(const pack<T, V> *)from;
#pragma unroll
    for (int i = 0; i < V; i++)
        out[i] = load(in.at[i]);
}

template <int V, class T> __device__ inline void store_pack(T *to, const float (&x)[V]) {
    pack<T, V> out;
#pragma unroll
    for (int i = 0; i < V; i++)
        store(out.at[i], x[i]);
    *(pack<T, V> *)to = out;
}

/* Keeps NaN, as comparisons do. */
__device__ inline float activate(float y, int act) {
    if (act == LAUNCH_ACT_RELU6 && y > 6.0f)
        return 6.0f;
    return act != LAUNCH_ACT_NONE && y < 0.0f ? 0.0f : y;
}

/* Does the activation pass the gradient on at this y? */
__device__ inline bool passes(float y, int act) {
    return act == LAUNCH_ACT_NONE || (y > 0.0f && (act == LAUNCH_ACT_RELU || y < 6.0f));
}

/* x Phi(x), with the upper tail's function so that it stays exact far below 0. */
__device__ inline float gelu(float x) {
    return x * 0.5f * erfcf(-x * 0.70710678f);
}

/* --- grids --- */

/* Blocks for a loop over count items by all threads: never more than what fills the device. */
static inline unsigned loop_blocks(const struct queue *queue, uint32_t count) {
    unsigned wanted = (count + BLOCK - 1) / BLOCK, most = (unsigned)queue->processors * 8;
    return wanted < 1 ? 1 : wanted < most ? wanted : most;
}

#define GRID_LOOP(i, count)                                                                        \
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < (count);                          \
         i += gridDim.x * blockDim.x)

/* --- types --- */

template <class T, int V> struct number_type {
    typedef T type;
    static constexpr int width = V;
};

/* Calls f with the type, and with how many neighbours fit into a pack of 16 bytes if that divides
 * the channels. */
template <class F> void with_type(bool is_bf16, uint32_t channels, F f) {
    if (is_bf16 && channels % 8 == 0)
        f(number_type<bf16, 8>{});
    else if (is_bf16)
        f(number_type<bf16, 1>{});
    else if (channels % 4 == 0)
        f(number_type<float, 4>{});
    else
        f(number_type<float, 1>{});
}

/* Calls f with typed pointers to two arrays. */
template <class F> void with_types(struct array x, struct array y, F f) {
    if (x.bf16 && y.bf16)
        f((const bf16 *)x.data, (bf16 *)y.data);
    else if (x.bf16)
        f((const bf16 *)x.data, (float *)y.data);
    else if (y.bf16)
        f((const float *)x.data, (bf16 *)y.data);
    else
        f((const float *)x.data, (float *)y.data);
}

/* --- reductions --- */

/* The sum over the warp's lanes, in every lane. */
__device__ inline float warp_sum(float x) {
#pragma unroll
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, offset);
    return x;
}

__device__ inline int warp_sum_int(int x) {
#pragma unroll
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, offset);
    return x;
}

__device__ inline float warp_max(float x) {
#pragma unroll
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
    return x;
}

#endif
