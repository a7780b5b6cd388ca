/*
 * numbers.h - f32 and bf16 in memory, for what stands in for a library.
 */
#ifndef TESTS_GPU_EMULATE_NUMBERS_H
#define TESTS_GPU_EMULATE_NUMBERS_H

#include <stdint.h>
#include <string.h>

static inline float number_load(const void *data, int bf16, int64_t i) {
    float out;
    if (!bf16)
        return ((const float *)data)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* To nearest, ties to even; NaN stays NaN. */
static inline void number_store(void *data, int bf16, int64_t i, float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (!bf16)
        ((float *)data)[i] = x;
    else if (x != x)
        ((uint16_t *)data)[i] = 0x7fff;
    else
        ((uint16_t *)data)[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
