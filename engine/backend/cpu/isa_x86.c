#include "engine/backend/cpu/vec/vec.h"

extern const struct vec_kernels vec_avx512_bf16, vec_avx512, vec_avx2, vec_baseline;

const struct vec_kernels *vec_choose(bool wide, bool bf16) {
    if (wide)
        return bf16 ? &vec_avx512_bf16 : &vec_avx512;
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return avx2 ? &vec_avx2 : &vec_baseline;
}
