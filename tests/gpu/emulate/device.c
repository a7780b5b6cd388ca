/*
 * The cuda backend on an emulated device: host memory, kernels as compiled by emulate.h; with
 * DISTILL_EMULATE_LIBRARIES=1 in the environment cuDNN and cuBLASLt, as dnn.c and blas.c beside
 * this have them, and tensor cores; without, what an older card runs. It has the name cuda in the
 * table of the tests that are linked against it, so that they run the very kernels and the very
 * host code on every problem line; its identity says what it is.
 */
#include "engine/backend/cuda/cuda_internal.h"
#include "engine/base/mem.h"
#include "tests/gpu/emulate/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct backend backend_ref;

struct emulated {
    struct cuda cuda;
    struct step step[STEP_SLOTS];
};

static void emulated_close(struct device *device) {
    struct emulated *emulated = device->state;
    blas_close(emulated->cuda.blas);
    dnn_close(emulated->cuda.dnn);
    free(emulated);
}

static enum status open_libraries(struct cuda *cuda, struct error *err) {
    enum status status = blas_open(&cuda->blas, NULL, err);
    return status == STATUS_OK ? dnn_open(&cuda->dnn, NULL, NULL, err) : status;
}

static enum status emulated_open(struct device *device, struct error *err) {
    struct emulated *emulated = xcalloc(1, sizeof *emulated);
    enum status status = cuda_read_pointwise(&emulated->cuda.pointwise, err);
    emulated->cuda.queue.processors = 1;
    emulated->cuda.queue.shared_bytes = 227 << 10;
    emulated->cuda.queue.cluster_most = 16;
    emulated->cuda.queue.tensor_cores = getenv("DISTILL_EMULATE_LIBRARIES") != NULL;
    emulated->cuda.step = emulated->step;
    device->state = emulated;
    if (status == STATUS_OK && emulated->cuda.queue.tensor_cores)
        status = open_libraries(&emulated->cuda, err);
    snprintf(device->identity, sizeof device->identity,
             "the kernels of cuda%s, emulated on the host: no GPU",
             emulated->cuda.dnn ? ", cuDNN and cuBLASLt" : "");
    if (status != STATUS_OK)
        emulated_close(device);
    return status;
}

static void emulated_steps(struct device *device, const struct step *steps, int count) {
    struct emulated *emulated = device->state;
    memcpy(emulated->step, steps, (size_t)count * sizeof *steps);
}

static void emulated_slot(struct device *device, int slot) {
    struct emulated *emulated = device->state;
    emulated->cuda.step = &emulated->step[slot];
}

static void emulated_capture_begin(struct device *device) {
    (void)device;
    record_begin();
}

static void *emulated_capture_end(struct device *device) {
    (void)device;
    return record_end();
}

static void emulated_replay(struct device *device, void *graph) {
    (void)device;
    record_replay(graph);
}

static void emulated_free_graph(struct device *device, void *graph) {
    (void)device;
    record_free(graph);
}

static const struct backend backend_emulated = {
    .name = "cuda",
    .sentence = "the kernels of cuda, emulated on the host",
    .bf16 = true,
    .tf32 = true,
    .open = emulated_open,
    .close = emulated_close,
    .alloc = host_alloc,
    .free = host_free,
    .upload = host_copy,
    .download = host_copy,
    .fill = host_fill,
    .synchronize = host_synchronize,
    .steps = emulated_steps,
    .slot = emulated_slot,
    .capture_begin = emulated_capture_begin,
    .capture_end = emulated_capture_end,
    .replay = emulated_replay,
    .free_graph = emulated_free_graph,
    .merge = cuda_merge,
    .formats = cuda_formats,
    .check = cuda_check,
    .native_bytes = cuda_native_bytes,
    .kernels = cuda_kernels,
};

const struct backend *const backend_table[] = {&backend_emulated, &backend_ref, NULL};
