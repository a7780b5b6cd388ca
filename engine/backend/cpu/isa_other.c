#include "engine/backend/cpu/vec/vec.h"

extern const struct vec_kernels vec_baseline;

const struct vec_kernels *vec_choose(bool wide) {
    (void)wide;
    return &vec_baseline;
}
