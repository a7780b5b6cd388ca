/*
 * cluster.cuh - blocks that read each other's shared memory, of sm_90 and later; tests/gpu/emulate
 * has the same for a host. A kernel that uses them is launched with launch_cluster, has no shared
 * memory but DYNAMIC_SHARED, and does not return before all have read: every thread of a cluster
 * calls cluster_arrive and cluster_wait the same number of times.
 */
#ifndef ENGINE_BACKEND_CUDA_KERNELS_CLUSTER_CUH
#define ENGINE_BACKEND_CUDA_KERNELS_CLUSTER_CUH

/* Declares a pointer to the block's dynamic shared memory, aligned to 16 bytes. */
#define DYNAMIC_SHARED(name) extern __shared__ __align__(16) unsigned char name[]

#if defined __CUDA_ARCH__ && __CUDA_ARCH__ < 900
/* No cluster of more than one block is launched here. */
__device__ inline void cluster_arrive() {
}

__device__ inline void cluster_wait() {
}

template <class T> __device__ inline const T *cluster_peer(const T *mine, unsigned) {
    return mine;
}
#else
/* A thread's writes to shared memory before its arrival are seen by all behind their wait. Lanes
 * need not come together: they come from loops of different lengths. */
__device__ inline void cluster_arrive() {
    asm volatile("barrier.cluster.arrive.release;" ::: "memory");
}

__device__ inline void cluster_wait() {
    asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
}

/* The same place in the shared memory of another block of the cluster. */
template <class T> __device__ inline const T *cluster_peer(const T *mine, unsigned rank) {
    const T *peer;
    asm("mapa.u64 %0, %1, %2;" : "=l"(peer) : "l"(mine), "r"(rank));
    return peer;
}
#endif

static inline cudaLaunchConfig_t cluster_config(const struct cluster_shape &shape,
                                                cudaLaunchAttribute *attribute) {
    cudaLaunchConfig_t config = {};
    attribute->id = cudaLaunchAttributeClusterDimension;
    attribute->val.clusterDim = {shape.cluster, 1, 1};
    config.gridDim = shape.grid;
    config.blockDim = shape.block;
    config.dynamicSmemBytes = shape.shared_bytes;
    config.attrs = attribute;
    config.numAttrs = shape.cluster > 1;
    return config;
}

template <class... P, class... A>
void launch_cluster(const struct queue *queue, const struct cluster_shape &shape,
                    void (*kernel)(P...), A... args) {
    cudaLaunchAttribute attribute = {};
    cudaLaunchConfig_t config = cluster_config(shape, &attribute);
    config.stream = (cudaStream_t)queue->stream;
    cudaLaunchKernelEx(&config, kernel, args...);
}

/* Cold: lets a kernel have all the shared memory that the card gives, and clusters of any size;
 * false if the card has no room for even one cluster of this shape. Leaves no sticky error. */
template <class... P>
bool allow_cluster(const struct queue *queue, const struct cluster_shape &shape,
                   void (*kernel)(P...)) {
    cudaLaunchAttribute attribute = {};
    cudaLaunchConfig_t config = cluster_config(shape, &attribute);
    int room = 0;
    cudaError_t code = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                            (int)queue->shared_bytes);
    if (code == cudaSuccess && shape.cluster > 1)
        code = cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1);
    if (code == cudaSuccess && shape.cluster > 1)
        code = cudaOccupancyMaxActiveClusters(&room, kernel, &config);
    if (code != cudaSuccess)
        cudaGetLastError();
    return code == cudaSuccess && (shape.cluster == 1 || room > 0);
}

#endif
