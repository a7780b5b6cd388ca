/* The device itself: the one file that talks to CUDA's runtime. */
#include "engine/backend/cuda/cuda_internal.h"
#include "engine/backend/cuda/library.h"
#include "engine/base/mem.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not every card that has clusters has room for so many blocks: kernels ask before they use it. */
enum { CLUSTER_MOST = 16 };

/* Behind struct cuda lies what only this file needs. */
struct gpu {
    struct cuda cuda; /* first */
    cudaStream_t stream;
    struct step *steps; /* on the device: STEP_SLOTS */
    char failure[256];
    enum status status; /* sticky */
};

static struct gpu *gpu_of(struct device *device) {
    return device->state;
}

/* Errors after which the context is of no use any more: the worker ends, the job is tried again. */
static bool is_lost(cudaError_t code) {
    static const cudaError_t lost[] = {cudaErrorIllegalAddress,      cudaErrorLaunchFailure,
                                       cudaErrorLaunchTimeout,       cudaErrorHardwareStackError,
                                       cudaErrorIllegalInstruction,  cudaErrorMisalignedAddress,
                                       cudaErrorECCUncorrectable,    cudaErrorDevicesUnavailable,
                                       cudaErrorNvlinkUncorrectable, cudaErrorAssert,
                                       cudaErrorInvalidAddressSpace, cudaErrorInvalidPc,
                                       cudaErrorContained,           cudaErrorTensorMemoryLeak,
                                       cudaErrorMpsClientTerminated};
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        if (code == lost[i])
            return true;
    return false;
}

/* Keeps the first failure until somebody synchronizes; true if there is none. */
static bool note(struct gpu *gpu, cudaError_t code, const char *what) {
    if (code == cudaSuccess)
        return true;
    if (gpu->status == STATUS_OK) {
        gpu->status = is_lost(code) ? STATUS_DEVICE_LOST : STATUS_INTERNAL;
        snprintf(gpu->failure, sizeof gpu->failure, "%s: %s", what, cudaGetErrorString(code));
    }
    return false;
}

/* --- memory --- */

static enum status gpu_alloc(struct device *device, void **out, size_t bytes, const char *what,
                             struct error *err) {
    cudaError_t code = cudaMalloc(out, bytes ? bytes : 1);
    if (code == cudaSuccess)
        return STATUS_OK;
    cudaGetLastError(); /* it would be reported again */
    if (code == cudaErrorMemoryAllocation)
        return error_set(err, STATUS_OUT_OF_MEMORY, "%zu bytes of GPU memory for %s", bytes, what);
    note(gpu_of(device), code, "cudaMalloc");
    return error_set(err, is_lost(code) ? STATUS_DEVICE_LOST : STATUS_INTERNAL,
                     "%zu bytes of GPU memory for %s: %s", bytes, what, cudaGetErrorString(code));
}

static void gpu_free(struct device *device, void *ptr) {
    note(gpu_of(device), cudaFree(ptr), "cudaFree");
}

/* The source may be reused at once: of pageable memory a copy is taken before this returns. */
static void gpu_upload(struct device *device, void *to, const void *from, size_t bytes) {
    struct gpu *gpu = gpu_of(device);
    note(gpu, cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, gpu->stream), "upload");
}

static void gpu_download(struct device *device, void *to, const void *from, size_t bytes) {
    struct gpu *gpu = gpu_of(device);
    bool enqueued = note(gpu, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, gpu->stream),
                         "download");
    if (!enqueued || !note(gpu, cudaStreamSynchronize(gpu->stream), "download"))
        memset(to, 0, bytes); /* nothing of an earlier use; synchronize reports the failure */
}

static void gpu_fill(struct device *device, void *ptr, int byte, size_t bytes) {
    struct gpu *gpu = gpu_of(device);
    note(gpu, cudaMemsetAsync(ptr, byte, bytes, gpu->stream), "fill");
}

static enum status gpu_synchronize(struct device *device, struct error *err) {
    struct gpu *gpu = gpu_of(device);
    const char *library = dnn_failure(gpu->cuda.dnn);
    library = library ? library : blas_failure(gpu->cuda.blas);
    note(gpu, cudaStreamSynchronize(gpu->stream), "the GPU");
    note(gpu, cudaGetLastError(), "a launch");
    if (gpu->status == STATUS_OK && library)
        return error_set(err, STATUS_INTERNAL, "%s", library);
    if (gpu->status == STATUS_OK)
        return STATUS_OK;
    return error_set(err, gpu->status, "%s", gpu->failure);
}

/* --- steps --- */

static void gpu_steps(struct device *device, const struct step *steps, int count) {
    struct gpu *gpu = gpu_of(device);
    size_t bytes = (size_t)count * sizeof *steps;
    note(gpu, cudaMemcpyAsync(gpu->steps, steps, bytes, cudaMemcpyHostToDevice, gpu->stream),
         "upload of the steps");
}

static void gpu_slot(struct device *device, int slot) {
    struct gpu *gpu = gpu_of(device);
    gpu->cuda.step = gpu->steps + slot;
}

/* Relaxed: what the library asks the driver meanwhile is no business of the capture. */
static void gpu_capture_begin(struct device *device) {
    struct gpu *gpu = gpu_of(device);
    note(gpu, cudaStreamBeginCapture(gpu->stream, cudaStreamCaptureModeRelaxed), "capture");
}

static void *gpu_capture_end(struct device *device) {
    struct gpu *gpu = gpu_of(device);
    cudaGraph_t graph = NULL;
    cudaGraphExec_t runnable = NULL;
    if (note(gpu, cudaStreamEndCapture(gpu->stream, &graph), "capture"))
        note(gpu, cudaGraphInstantiate(&runnable, graph, 0), "capture");
    if (graph)
        note(gpu, cudaGraphDestroy(graph), "capture");
    return runnable;
}

static void gpu_replay(struct device *device, void *graph) {
    struct gpu *gpu = gpu_of(device);
    note(gpu, cudaGraphLaunch(graph, gpu->stream), "replay");
}

static void gpu_free_graph(struct device *device, void *graph) {
    note(gpu_of(device), cudaGraphExecDestroy(graph), "replay");
}

/* --- open --- */

static enum status check(cudaError_t code, const char *what, struct error *err) {
    if (code == cudaSuccess)
        return STATUS_OK;
    return error_set_field(err, STATUS_UNSUPPORTED, "device", "device=cuda: %s: %s", what,
                           cudaGetErrorString(code));
}

static enum status find_device(struct error *err) {
    void *driver = NULL;
    int count = 0;
    enum status status = library_open(&driver, "libcuda.so.1", "NVIDIA's driver", err);
    if (status)
        return status;
    status = check(cudaGetDeviceCount(&count), "looking for a GPU", err);
    if (!status && count == 0)
        return error_set_field(err, STATUS_UNSUPPORTED, "device",
                               "device=cuda: the driver shows no GPU");
    return status;
}

static enum status describe(struct device *device, struct error *err) {
    struct gpu *gpu = gpu_of(device);
    struct cudaDeviceProp properties;
    int driver = 0;
    enum status status = check(cudaGetDeviceProperties(&properties, 0), "its properties", err);
    if (!status)
        status = check(cudaDriverGetVersion(&driver), "the driver's version", err);
    if (status)
        return status;
    gpu->cuda.queue.processors = properties.multiProcessorCount;
    gpu->cuda.queue.shared_bytes = properties.sharedMemPerBlockOptin;
    gpu->cuda.queue.cluster_most = properties.clusterLaunch ? CLUSTER_MOST : 1;
    gpu->cuda.queue.tensor_cores = properties.major >= 8;
    snprintf(device->identity, sizeof device->identity,
             "cuda %.100s sm_%d%d %d processors, driver of CUDA %d.%d, runtime %d.%d, %s, %s",
             properties.name, properties.major, properties.minor, properties.multiProcessorCount,
             driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10,
             dnn_version(gpu->cuda.dnn), blas_version(gpu->cuda.blas));
    return STATUS_OK;
}

/* Kernels of this module exist for some architectures only; a launch of nothing tells. */
static enum status check_kernels(struct gpu *gpu, struct error *err) {
    struct reorder nothing = {.rows = 0};
    launch_reorders(&gpu->cuda.queue, &nothing, 1);
    return check(cudaGetLastError(), "the module's kernels", err);
}

static enum status make_stream(struct gpu *gpu, struct error *err) {
    enum status status =
        check(cudaStreamCreateWithFlags(&gpu->stream, cudaStreamNonBlocking), "a stream", err);
    if (!status)
        status = check(cudaMalloc((void **)&gpu->steps, STEP_SLOTS * sizeof *gpu->steps),
                       "memory of the steps", err);
    gpu->cuda.queue.stream = gpu->stream;
    gpu->cuda.step = gpu->steps;
    return status;
}

static void gpu_close(struct device *device) {
    struct gpu *gpu = gpu_of(device);
    dnn_close(gpu->cuda.dnn);
    blas_close(gpu->cuda.blas);
    if (gpu->steps)
        note(gpu, cudaFree(gpu->steps), "close");
    if (gpu->stream)
        note(gpu, cudaStreamDestroy(gpu->stream), "close");
    free(gpu);
}

static enum status gpu_open(struct device *device, struct error *err) {
    enum status status = find_device(err);
    if (status)
        return status;
    struct gpu *gpu = xcalloc(1, sizeof *gpu);
    device->state = gpu;
    status = make_stream(gpu, err);
    if (!status)
        status = cuda_read_pointwise(&gpu->cuda.pointwise, err);
    if (!status)
        status = blas_open(&gpu->cuda.blas, gpu->stream, err);
    if (!status)
        status = dnn_open(&gpu->cuda.dnn, gpu->stream, NULL, err);
    if (!status)
        status = describe(device, err);
    if (!status)
        status = check_kernels(gpu, err);
    if (status)
        gpu_close(device);
    return status;
}

static const struct backend backend_gpu = {
    .name = "cuda",
    .bf16 = true,
    .tf32 = true,
    .open = gpu_open,
    .close = gpu_close,
    .alloc = gpu_alloc,
    .free = gpu_free,
    .upload = gpu_upload,
    .download = gpu_download,
    .fill = gpu_fill,
    .synchronize = gpu_synchronize,
    .steps = gpu_steps,
    .slot = gpu_slot,
    .capture_begin = gpu_capture_begin,
    .capture_end = gpu_capture_end,
    .replay = gpu_replay,
    .free_graph = gpu_free_graph,
    .merge = cuda_merge,
    .formats = cuda_formats,
    .check = cuda_check,
    .native_bytes = cuda_native_bytes,
    .kernels = cuda_kernels,
};

extern const struct backend_module distill_backend_module;
__attribute__((visibility("default"))) const struct backend_module distill_backend_module = {
    .sizes = BACKEND_SIZES,
    .backend = &backend_gpu,
};
