/*
 * plans.c - makes cuDNN's plans for a training step of every architecture, from a description of an
 * H100 instead of the card: every convolution without groups has one that is allowed, in f32 and
 * bf16, and no step asks for more workspace than is sensible. Nothing is run.
 *
 * The device counts bytes and gives out addresses that nobody follows.
 */
#include "engine/backend/cuda/cuda_internal.h"
#include "engine/base/file.h"
#include "engine/cli/rig.h"
#include "engine/model/zoo.h"
#include "tests/support/t.h"

#include <stdlib.h>

enum { SKIP = 77, WORKSPACE_MOST_MIB = 700 };

static char properties[4096];

static enum status paper_alloc(struct device *device, void **out, size_t bytes, const char *what,
                               struct error *err) {
    (void)device;
    (void)bytes;
    (void)what;
    (void)err;
    *out = (void *)(uintptr_t)4096;
    return STATUS_OK;
}

static void paper_free(struct device *device, void *ptr) {
    (void)device;
    (void)ptr;
}

static void paper_fill(struct device *device, void *ptr, int byte, size_t bytes) {
    (void)device;
    (void)ptr;
    (void)byte;
    (void)bytes;
}

static const struct backend backend_paper = {.name = "cuda",
                                             .alloc = paper_alloc,
                                             .free = paper_free,
                                             .fill = paper_fill,
                                             .native_bytes = cuda_native_bytes,
                                             .kernels = cuda_kernels};

const struct backend *const backend_table[] = {NULL};

static void check_program(const char *name, const struct rig_plan *plan, struct device *device) {
    const struct dnn *dnn = ((struct cuda *)device->state)->dnn;
    int before = dnn_count(dnn, 1), without = dnn_count(dnn, 0);
    struct params params[2] = {{0}}, *of[] = {&params[0], &params[1]};
    struct exec *exec = NULL;
    struct error err;
    const struct network *network[] = {&plan->student, &plan->teacher};
    for (int i = 0; i < 2; i++)
        if (params_create(&params[i], device, &network[i]->table, true, &err) != STATUS_OK)
            T_FAIL("%s: %s", name, err.message);
    if (exec_create(&exec, device, &plan->run.program, of, &err) != STATUS_OK)
        T_FAIL("%s: %s", name, err.message);
    size_t mib = exec ? exec_memory(exec).workspace_bytes >> 20 : 0;
    printf("%-24s %3d new plans, workspace %zu MiB\n", name, dnn_count(dnn, 1) - before, mib);
    if (dnn_count(dnn, 0) != without)
        T_FAIL("%s: %d convolutions have no plan", name, dnn_count(dnn, 0) - without);
    if (mib > WORKSPACE_MOST_MIB)
        T_FAIL("%s: a workspace of %zu MiB", name, mib);
    exec_free(exec);
}

static void check_architecture(const char *name, int precision, struct device *device) {
    struct rig_options options = {.method = METHOD_WTTM,
                                  .batch_size = 64,
                                  .channels = 3,
                                  .precision = precision,
                                  .threads = 1};
    struct rig_plan plan;
    struct error err;
    snprintf(options.student, sizeof options.student, "%s", name);
    snprintf(options.teacher, sizeof options.teacher, "%s", name);
    if (rig_plan_open(&plan, &options, &err) != STATUS_OK) {
        T_FAIL("%s: %s", name, err.message);
        return;
    }
    check_program(name, &plan, device);
    rig_plan_close(&plan);
}

static void check_precision(int precision) {
    struct cuda cuda = {.queue.processors = 132};
    struct device device = {.backend = &backend_paper, .threads = 1, .state = &cuda};
    struct error err;
    if (dnn_open(&cuda.dnn, NULL, properties, &err) != STATUS_OK) {
        T_FAIL("%s", err.message);
        return;
    }
    for (int i = 0; zoo[i].name; i++)
        check_architecture(zoo[i].name, precision, &device);
    dnn_close(cuda.dnn);
}

static void f32(void) {
    check_precision(PRECISION_F32);
}

static void bf16(void) {
    check_precision(PRECISION_BF16);
}

int main(int argc, char **argv) {
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    struct dnn *dnn = NULL;
    struct error err;
    CHECK(file && fread(properties, 1, sizeof properties - 1, file) > 0);
    fclose(file);
    if (dnn_open(&dnn, NULL, properties, &err) != STATUS_OK) {
        printf("skipped: %s\n", err.message);
        return SKIP;
    }
    dnn_close(dnn);
    T_RUN(f32);
    T_RUN(bf16);
    return t_done();
}
