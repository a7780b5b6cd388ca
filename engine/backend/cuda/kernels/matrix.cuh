/*
 * matrix.cuh - products of small matrices of bf16 with sums in f32, by the tensor cores of sm_80
 * and later; tests/gpu/emulate has the same for a host. All lanes of a warp call these together.
 *
 * A matrix lies in the registers of a warp's lanes, two neighbours in one, the first in the low
 * half. Lane 4 g + t has
 *   of the left 16 x 16:   [0] row g, [1] row g + 8, columns 2 t and 2 t + 1; [2], [3] 8 columns on
 *   of the right 16 x 8:   column g: [0] rows 2 t and 2 t + 1, [1] 8 rows on
 *   of the product 16 x 8: row g: [0], [1] columns 2 t and 2 t + 1; [2], [3] row g + 8
 * so two products side by side, rounded, are a left matrix.
 */
#ifndef ENGINE_BACKEND_CUDA_KERNELS_MATRIX_CUH
#define ENGINE_BACKEND_CUDA_KERNELS_MATRIX_CUH

#if defined __CUDA_ARCH__ && __CUDA_ARCH__ < 800
/* No kernel that calls these is launched here. */
__device__ inline void load_matrices(uint32_t (&)[4], const void *) {
}

__device__ inline void load_transposed(uint32_t (&)[4], const void *) {
}

__device__ inline void multiply_add(float (&)[4], const uint32_t (&)[4], uint32_t, uint32_t) {
}
#else
/* Four matrices of 8 x 8 from shared memory: lane l says where row l % 8 of matrix l / 8 begins,
 * at a multiple of 16 bytes. Of each, lane 4 g + t gets row g, columns 2 t and 2 t + 1. */
__device__ inline void load_matrices(uint32_t (&to)[4], const void *row) {
    uint32_t from = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from)
                 : "memory");
}

/* The same, transposed: column g, rows 2 t and 2 t + 1. */
__device__ inline void load_transposed(uint32_t (&to)[4], const void *row) {
    uint32_t from = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from)
                 : "memory");
}

/* sum += left right. */
__device__ inline void multiply_add(float (&sum)[4], const uint32_t (&left)[4], uint32_t right0,
                                    uint32_t right1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right0),
                   "r"(right1));
}
#endif

#endif
