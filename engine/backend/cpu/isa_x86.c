#include "engine/backend/cpu/vec/vec.h"

extern const struct vec_kernels vec_avx512_bf16, vec_avx512, vec_avx2, vec_baseline;

const struct vec_kernels *vec_choose(bool avx2, bool avx512, bool bf16) {
    if (avx512)
        return bf16 ? &vec_avx512_bf16 : &vec_avx512;
    return avx2 && __builtin_cpu_supports("fma") ? &vec_avx2 : &vec_baseline;
}
