/*
 * plans.c - makes the libraries' plans for a training step of every architecture in every
 * precision, from a description of an H100 instead of the card. Nothing is run.
 *
 * Of cuDNN: every convolution without groups has an engine, precompiled and within the policy; each
 * is printed. Of cuBLASLt, which names algorithms only on a device: every product has descriptors.
 *
 * The device counts bytes and gives out addresses that nobody follows.
 */
#include "engine/backend/cuda/cuda_internal.h"
#include "engine/backend/cuda/dnn_graph.h"
#include "engine/base/file.h"
#include "engine/cli/rig.h"
#include "engine/model/zoo.h"
#include "tests/support/t.h"

#include <stdlib.h>

enum { SKIP = 77, BATCH = 64, LARGE_BATCH = 256, WORKSPACE_MOST_MIB = 700 };

#define NOTE(name) (1u << CUDNN_NUMERICAL_NOTE_##name)

/* What no engine may do in a precision. */
static const unsigned banned[PRECISION_COUNT] = {
    [PRECISION_F32] = NOTE(NONDETERMINISTIC) | NOTE(REDUCED_PRECISION_REDUCTION) |
                      NOTE(DOWN_CONVERT_INPUTS) | NOTE(TENSOR_CORE),
    [PRECISION_TF32] =
        NOTE(NONDETERMINISTIC) | NOTE(REDUCED_PRECISION_REDUCTION) | NOTE(DOWN_CONVERT_INPUTS),
    [PRECISION_BF16] = NOTE(NONDETERMINISTIC) | NOTE(REDUCED_PRECISION_REDUCTION)};

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
                                             .merge = cuda_merge,
                                             .formats = cuda_formats,
                                             .check = cuda_check,
                                             .native_bytes = cuda_native_bytes,
                                             .kernels = cuda_kernels};

const struct backend *const backend_table[] = {NULL};

/* The library has no engine with them for a gradient of patches of 16x16 in bf16. */
enum { WITHOUT_TENSOR_CORES_MOST = 1 };

/* What is checked, and what was found in it. */
struct check {
    const char *architecture;
    int precision, batch;
    int problems, tensor, late, none, fused;
};

/* --- the plans --- */

static void print_problem(const struct check *check, const struct dnn_problem *p) {
    static const char *const kinds[] = {
        [DNN_CONV] = "conv", [DNN_CONV_DX] = "conv_dx", [DNN_CONV_DW] = "conv_dw"};
    printf("  %s %s %s n%d h%d w%d c%d k%d r%d s%d p%d%s%s%s: ", check->architecture,
           precision_names[check->precision], kinds[p->kind], p->n, p->h, p->w, p->c, p->k, p->r,
           p->stride, p->pad, p->bias ? " bias" : "", p->residual ? " residual" : "",
           p->relu ? " relu" : "");
}

static void check_plan(struct check *check, const struct dnn_problem *problem,
                       const struct dnn_plan *plan) {
    const char *name = check->architecture;
    check->problems++;
    print_problem(check, problem);
    if (!plan) {
        printf("no plan\n");
        check->none++;
        T_FAIL("%s: a convolution has no plan", name);
        return;
    }
    printf("engine %d, %zu bytes, %s, %s, %s\n", plan->engine, plan->workspace_bytes,
           plan->notes & NOTE(NONDETERMINISTIC) ? "not deterministic" : "deterministic",
           plan->notes & NOTE(TENSOR_CORE) ? "tensor cores" : "no tensor cores",
           plan->compiled_late ? "compiled late" : "precompiled");
    check->tensor += (plan->notes & NOTE(TENSOR_CORE)) != 0;
    check->late += plan->compiled_late;
    check->fused += problem->bias && problem->residual && problem->relu;
    if (problem->bf16 != (check->precision == PRECISION_BF16))
        T_FAIL("%s: a convolution in another type", name);
    if (plan->notes & banned[check->precision])
        T_FAIL("%s: engine %d has notes %#x", name, plan->engine, plan->notes);
    if (plan->compiled_late)
        T_FAIL("%s: engine %d is compiled late", name, plan->engine);
}

static void check_memory(const struct check *check, const struct exec *exec) {
    size_t mib = exec ? exec_memory(exec).workspace_bytes >> 20 : 0;
    printf(
        "%s %s batch %d: %d convolutions, %d on tensor cores, %d compiled late, %d without plan, "
        "%d fused with residual, bias and relu; workspace %zu MiB\n",
        check->architecture, precision_names[check->precision], check->batch, check->problems,
        check->tensor, check->late, check->none, check->fused, mib);
    if (mib > WORKSPACE_MOST_MIB * (size_t)check->batch / BATCH)
        T_FAIL("%s: a workspace of %zu MiB", check->architecture, mib);
}

static void check_products(const struct check *check, const struct blas *blas) {
    printf("%s %s: %d products have descriptors\n", check->architecture,
           precision_names[check->precision], blas_count(blas, 1));
    if (blas_count(blas, 1) == 0 || blas_count(blas, 0) != 0)
        T_FAIL("%s: %d products, %d without descriptors", check->architecture, blas_count(blas, 1),
               blas_count(blas, 0));
}

static void check_program(struct check *check, const struct rig_plan *plan, struct device *device) {
    const struct cuda *cuda = device->state;
    struct params params[2] = {{0}}, *of[] = {&params[0], &params[1]};
    const struct network *network[] = {&plan->student, &plan->teacher};
    struct dnn_problem problem;
    const struct dnn_plan *found;
    struct exec *exec = NULL;
    struct error err;
    for (int i = 0; i < 2; i++)
        if (params_create(&params[i], device, &network[i]->table, true, &err) != STATUS_OK)
            T_FAIL("%s: %s", check->architecture, err.message);
    if (exec_create(&exec, device, &plan->run.program, of, &err) != STATUS_OK)
        T_FAIL("%s: %s", check->architecture, err.message);
    for (int i = 0; dnn_listed(cuda->dnn, i, &problem, &found); i++)
        check_plan(check, &problem, found);
    check_memory(check, exec);
    check_products(check, cuda->blas);
    exec_free(exec);
}

/* --- the architectures --- */

static bool build(const struct check *check, struct rig_plan *plan) {
    struct rig_options options = {.method = METHOD_WTTM,
                                  .batch_size = check->batch,
                                  .channels = 3,
                                  .precision = check->precision,
                                  .threads = 1};
    struct error err;
    snprintf(options.student, sizeof options.student, "%s", check->architecture);
    snprintf(options.teacher, sizeof options.teacher, "%s", check->architecture);
    if (rig_plan_open(plan, &options, &err) == STATUS_OK)
        return true;
    T_FAIL("%s: %s", check->architecture, err.message);
    return false;
}

/* Libraries are opened for each, so that what they list is this architecture's. */
static struct check check_architecture(const char *name, int precision, int batch) {
    struct check check = {.architecture = name, .precision = precision, .batch = batch};
    struct cuda cuda = {.queue.processors = 132};
    struct device device = {.backend = &backend_paper, .threads = 1, .state = &cuda};
    struct rig_plan plan;
    struct error err;
    if (!build(&check, &plan))
        return check;
    if (blas_open(&cuda.blas, NULL, &err) != STATUS_OK ||
        dnn_open(&cuda.dnn, NULL, properties, &err) != STATUS_OK)
        T_FAIL("%s", err.message);
    else
        check_program(&check, &plan, &device);
    blas_close(cuda.blas);
    dnn_close(cuda.dnn);
    rig_plan_close(&plan);
    return check;
}

static void check_precision(int precision) {
    struct check all = {0};
    for (int i = 0; zoo[i].name; i++) {
        struct check check = check_architecture(zoo[i].name, precision, BATCH);
        all.problems += check.problems;
        all.tensor += check.tensor;
        all.late += check.late;
        all.none += check.none;
        all.fused += check.fused;
    }
    printf("all in %s: %d convolutions, %d on tensor cores, %d compiled late, %d without plan, %d "
           "fused\n",
           precision_names[precision], all.problems, all.tensor, all.late, all.none, all.fused);
    if (precision != PRECISION_F32 && all.problems - all.tensor > WITHOUT_TENSOR_CORES_MOST)
        T_FAIL("%s: %d convolutions without tensor cores", precision_names[precision],
               all.problems - all.tensor);
}

static void f32(void) {
    check_precision(PRECISION_F32);
}

static void bf16(void) {
    check_precision(PRECISION_BF16);
}

static void tf32(void) {
    check_precision(PRECISION_TF32);
}

/* The pairs of the bench: a block of the folded teacher is one convolution with residual, bias and
 * ReLU. */
static void teachers_are_fused(void) {
    static const struct {
        const char *name;
        int batch;
    } pairs[] = {{"resnet56", BATCH},
                 {"resnet20", BATCH},
                 {"resnet32x4", BATCH},
                 {"resnet34", LARGE_BATCH},
                 {"resnet18", LARGE_BATCH}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct check check = check_architecture(pairs[i].name, PRECISION_BF16, pairs[i].batch);
        T_CHECK(check.fused > 0);
        T_CHECK(check.late == 0 && check.none == 0);
    }
}

static bool read_properties(const char *path) {
    FILE *file = path ? fopen(path, "r") : NULL;
    bool done = file && fread(properties, 1, sizeof properties - 1, file) > 0;
    if (file)
        fclose(file);
    return done;
}

int main(int argc, char **argv) {
    struct blas *blas = NULL;
    struct dnn *dnn = NULL;
    struct error err;
    CHECK(read_properties(argc > 1 ? argv[1] : NULL));
    bool missing = blas_open(&blas, NULL, &err) != STATUS_OK ||
                   dnn_open(&dnn, NULL, properties, &err) != STATUS_OK;
    blas_close(blas);
    dnn_close(dnn);
    if (missing) {
        printf("skipped: %s\n", err.message);
        return SKIP;
    }
    T_RUN(f32);
    T_RUN(bf16);
    T_RUN(tf32);
    T_RUN(teachers_are_fused);
    return t_done();
}
