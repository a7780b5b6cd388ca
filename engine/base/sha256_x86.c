#include "engine/base/sha256_internal.h"

#include "engine/base/status.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

/* "sha" by cpuid, because __builtin_cpu_supports knows it only in newer compilers; what that
 * knows is asked there, because it remembers and cpuid is slow in a virtual machine. */
bool sha256_has_instructions(void) {
    unsigned a, b, c, d;
    return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (b & bit_SHA);
}

/* The next four words of the message from the sixteen before them. */
__attribute__((target("sha,sse4.1"))) static inline __m128i next_words(const __m128i w[4]) {
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[0], w[1]), _mm_alignr_epi8(w[3], w[2], 4));
    return _mm_sha256msg2_epu32(sum, w[3]);
}

__attribute__((target("sha,sse4.1"))) static inline void digest_block(__m128i *abef, __m128i *cdgh,
                                                                      const uint8_t *block) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i w[4], first = *abef, second = *cdgh;
    for (int i = 0; i < 4; i++)
        w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(block + 16 * i)),
                                swap);
    for (int i = 0; i < 16; i++) { /* four rounds each */
        const void *k = sha256_round_constants + 4 * i;
        __m128i wk = _mm_add_epi32(w[0], _mm_loadu_si128((const __m128i *)k));
        second = _mm_sha256rnds2_epu32(second, first, wk);
        first = _mm_sha256rnds2_epu32(first, second, _mm_shuffle_epi32(wk, 0x0e));
        __m128i next = next_words(w); /* the last four are not needed, and cost less than an if */
        w[0] = w[1];
        w[1] = w[2];
        w[2] = w[3];
        w[3] = next;
    }
    *abef = _mm_add_epi32(*abef, first);
    *cdgh = _mm_add_epi32(*cdgh, second);
}

/* The instructions want the state as (a, b, e, f) and (c, d, g, h), the first highest. */
__attribute__((target("sha,sse4.1"))) void
sha256_blocks_instructions(uint32_t state[8], const uint8_t *blocks, size_t n_blocks) {
    __m128i abef = _mm_set_epi32((int)state[0], (int)state[1], (int)state[4], (int)state[5]);
    __m128i cdgh = _mm_set_epi32((int)state[2], (int)state[3], (int)state[6], (int)state[7]);
    for (size_t i = 0; i < n_blocks; i++)
        digest_block(&abef, &cdgh, blocks + 64 * i);
    uint32_t high[4], low[4];
    _mm_storeu_si128((__m128i *)(void *)high, abef);
    _mm_storeu_si128((__m128i *)(void *)low, cdgh);
    for (int i = 0; i < 2; i++) {
        state[i] = high[3 - i];
        state[2 + i] = low[3 - i];
        state[4 + i] = high[1 - i];
        state[6 + i] = low[1 - i];
    }
}

#else

bool sha256_has_instructions(void) {
    return false;
}

void sha256_blocks_instructions(uint32_t state[8], const uint8_t *blocks, size_t n_blocks) {
    (void)state, (void)blocks, (void)n_blocks;
    CHECK(!"this processor has no SHA instructions");
}

#endif
