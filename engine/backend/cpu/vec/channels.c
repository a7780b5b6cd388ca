#include "engine/backend/cpu/vec/vec_members.h"

/* Bits are moved, not numbers: those of bf16 in the lower half. */
VEC_INLINE vec_f32 get_bits(const void *from, size_t i, bool bf16) {
    vec_u16 half;
    if (!bf16)
        return vec_load((const float *)from + i);
    memcpy(&half, (const uint16_t *)from + i, sizeof half);
    return (vec_f32) __builtin_convertvector(half, vec_u32);
}

VEC_INLINE void put_bits(void *to, size_t i, vec_f32 bits, bool bf16) {
    const vec_u16 half = __builtin_convertvector((vec_u32)bits, vec_u16);
    if (bf16)
        memcpy((uint16_t *)to + i, &half, sizeof half);
    else
        vec_store((float *)to + i, bits);
}

VEC_INLINE void rows_in(const void *x, size_t at, int pixels, uint32_t *rows, bool bf16) {
    vec_f32 row[VEC_LANES] = {{0}};
    if (pixels == VEC_LANES)
        for (int i = 0; i < VEC_LANES; i++)
            row[i] = get_bits(x, at + (size_t)i * VEC_LANES, bf16);
    else
        for (int i = 0; i < pixels; i++)
            row[i] = get_bits(x, at + (size_t)i * VEC_LANES, bf16);
    vec_transpose(row);
    memcpy(rows, row, sizeof row);
}

VEC_INLINE void rows_out(const uint32_t *const from[], void *y, size_t at, int pixels, bool bf16) {
    vec_f32 row[VEC_LANES];
    for (int i = 0; i < VEC_LANES; i++)
        memcpy(&row[i], from[i], sizeof row[i]);
    vec_transpose(row);
    if (pixels == VEC_LANES)
        for (int i = 0; i < VEC_LANES; i++)
            put_bits(y, at + (size_t)i * VEC_LANES, row[i], bf16);
    else
        for (int i = 0; i < pixels; i++)
            put_bits(y, at + (size_t)i * VEC_LANES, row[i], bf16);
}

#define INSTANCE(type, bf16)                                                                       \
    void VEC(rows_in_##type)(const void *x, size_t at, int pixels, uint32_t *rows) {               \
        rows_in(x, at, pixels, rows, bf16);                                                        \
    }                                                                                              \
    void VEC(rows_out_##type)(const uint32_t *const row[], void *y, size_t at, int pixels) {       \
        rows_out(row, y, at, pixels, bf16);                                                        \
    }

INSTANCE(f32, false)
INSTANCE(bf16, true)
