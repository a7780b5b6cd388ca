/*
 * rng.h - counter-based random numbers: Philox 4x32 with 10 rounds (Salmon et al. 2011).
 *
 * A number is a pure function of a key and a counter, so that nothing depends on order or
 * threads, and a CPU and a GPU draw the same. The key is the seed; the counter names what is
 * drawn: {item, epoch, stream, block}.
 *
 * Threads: pure functions. Header only, because CUDA kernels include it too.
 */
#ifndef ENGINE_BASE_RNG_H
#define ENGINE_BASE_RNG_H

#include <stdint.h>

#ifdef __CUDACC__
#define RNG_FUNCTION static __host__ __device__ inline
#else
#define RNG_FUNCTION static inline
#endif

/* What a draw is for; keeps the streams of one seed apart. Values are part of the bytes a spec
 * produces: never renumber. */
enum rng_stream {
    RNG_INIT = 1,
    RNG_SHUFFLE = 2,
    RNG_AUGMENT = 3,
    RNG_TEST = 4,
    RNG_CROP = 5,
    RNG_MIRROR = 6,
    RNG_RAND_AUGMENT = 7,
    RNG_ERASE = 8,
    RNG_DROP_PATH = 9,
};

struct rng_block {
    uint32_t word[4];
};

/* Four 32-bit words for this key and counter. */
RNG_FUNCTION struct rng_block rng_philox(uint64_t seed, uint32_t item, uint32_t epoch,
                                         uint32_t stream, uint32_t block) {
    uint32_t c0 = item, c1 = epoch, c2 = stream, c3 = block;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    struct rng_block out = {{c0, c1, c2, c3}};
    return out;
}

/* Uniform in [0, 1) with 24 bits. */
RNG_FUNCTION float rng_unit(uint32_t word) {
    return (float)(word >> 8) * (1.0f / 16777216.0f);
}

/* Uniform in 0..n-1 by multiplication; the bias is below n / 2^32. */
RNG_FUNCTION uint32_t rng_below(uint32_t word, uint32_t n) {
    return (uint32_t)(((uint64_t)word * n) >> 32);
}

#endif
