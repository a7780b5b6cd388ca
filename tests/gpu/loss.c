/*
 * loss.c - every variant of the loss's kernels, emulated on the host, against the formula in double
 * (engine/spec/loss.h): on cards whose properties choose them, in f32 and bf16, at lengths of rows
 * that fill what a thread has, just exceed it, or make rows begin anywhere.
 *
 * Rows of a case differ in what is odd about them. Behind each array lies a fence that must stay.
 */
#include "engine/backend/cuda/launch_update.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/graph/program.h"
#include "tests/support/t.h"

enum { FENCE = 64 };

/* Cards as device.c describes them, but for processors, which a case says: few, so that the length
 * of a row alone decides. */
enum card { TURING, AMPERE, HOPPER, SMALL };
static const struct queue cards[] = {
    [TURING] = {.shared_bytes = 64 << 10, .cluster_most = 1},
    [AMPERE] = {.shared_bytes = 163 << 10, .cluster_most = 1},
    [HOPPER] = {.shared_bytes = 227 << 10, .cluster_most = 16},
    [SMALL] = {.shared_bytes = 48 << 10, .cluster_most = 4}, /* clusters at short rows */
};

enum oddity {
    PLAIN,
    TIES, /* few different logits */
    WIDE, /* differences far beyond the range of exp */
    Z_NAN,
    Z_INFINITE,
    Z_MINUS_INFINITE,
    T_NAN,
    T_MINUS_INFINITE, /* a class that the teacher rules out: the row is finite */
    ODDITIES
};

enum place { REGISTERS, SHARED, TWO_LAUNCHES };

static const struct loss_case {
    enum card card;
    int processors, n, classes;
    bool bf16;
    enum method method;
    double temperature, smoothing;
    enum place place;                           /* where the plan must put rows, ... */
    int blocks;                                 /* ... and how many blocks a row must have */
    enum { NOTHING, GRADIENT, WEIGHT } without; /* WEIGHT: that of the distillation is 0 */
} cases[] = {
    /* a warp, a block */
    {HOPPER, 1, 3, 1, false, METHOD_CE, 1, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 2, false, METHOD_WTTM, 4, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 2, 9, 2, true, METHOD_TTM, 4, 0.1, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 5, false, METHOD_KD, 4, 0.1, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 5, true, METHOD_KD, 1.5, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 132, 17, 100, false, METHOD_WTTM, 10, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 17, 100, true, METHOD_WTTM, 10, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 100, false, METHOD_CE, 1, 0.1, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 128, false, METHOD_TTM, 2, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 129, false, METHOD_TTM, 2, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 255, true, METHOD_KD, 3, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 512, false, METHOD_KD, 4, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 999, false, METHOD_WTTM, 0.5, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 9, 1000, false, METHOD_WTTM, 4, 0.2, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 1000, true, METHOD_KD, 4, 0.2, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 1000, false, METHOD_WTTM, 4, 0, REGISTERS, 1, GRADIENT},
    {HOPPER, 1, 8, 1000, false, METHOD_WTTM, 4, 0, REGISTERS, 1, WEIGHT},
    {HOPPER, 1, 8, 1024, true, METHOD_TTM, 4, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 1024, false, METHOD_KD, 20, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 1025, false, METHOD_WTTM, 5, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 1025, true, METHOD_KD, 5, 0.1, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 4096, false, METHOD_KD, 4, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 4096, true, METHOD_CE, 1, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 4097, false, METHOD_TTM, 4, 0.1, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 8191, true, METHOD_WTTM, 4, 0, REGISTERS, 1, NOTHING},
    {HOPPER, 1, 8, 8192, false, METHOD_WTTM, 4, 0, REGISTERS, 1, NOTHING},
    /* shared memory of a block */
    {HOPPER, 1, 8, 8193, false, METHOD_WTTM, 4, 0, SHARED, 1, NOTHING},
    {HOPPER, 1, 2, 12289, false, METHOD_KD, 4, 0.1, SHARED, 1, NOTHING},
    {HOPPER, 1, 2, 14003, true, METHOD_WTTM, 4, 0, SHARED, 1, NOTHING},
    {HOPPER, 1, 2, 21843, false, METHOD_CE, 1, 0.1, SHARED, 1, NOTHING},
    {AMPERE, 1, 8, 20001, false, METHOD_TTM, 4, 0, SHARED, 1, NOTHING},
    {AMPERE, 1, 2, 20001, true, METHOD_KD, 4, 0, SHARED, 1, NOTHING},
    /* clusters */
    {SMALL, 1, 8, 8195, false, METHOD_WTTM, 4, 0.1, SHARED, 4, NOTHING},
    {SMALL, 1, 8, 9001, true, METHOD_KD, 4, 0, SHARED, 4, NOTHING},
    {SMALL, 1, 3, 9001, true, METHOD_TTM, 4, 0, SHARED, 4, GRADIENT},
    {HOPPER, 3, 2, 9001, false, METHOD_WTTM, 4, 0, SHARED, 2, NOTHING}, /* few rows */
    {HOPPER, 1, 3, 21843, false, METHOD_WTTM, 4, 0, SHARED, 2, NOTHING},
    {HOPPER, 1, 3, 21843, true, METHOD_KD, 0.5, 0, SHARED, 2, NOTHING},
    {HOPPER, 1, 2, 60000, false, METHOD_KD, 4, 0.1, SHARED, 8, NOTHING},
    {HOPPER, 1, 2, 60000, true, METHOD_TTM, 4, 0, SHARED, 8, NOTHING},
    {HOPPER, 1, 1, 200000, false, METHOD_WTTM, 4, 0, SHARED, 16, NOTHING},
    {HOPPER, 1, 2, 200000, true, METHOD_WTTM, 4, 0, SHARED, 16, NOTHING},
    {HOPPER, 1, 1, 400001, false, METHOD_WTTM, 4, 0, SHARED, 16,
     NOTHING}, /* one block a processor */
    /* two launches */
    {HOPPER, 1, 1, 500000, false, METHOD_WTTM, 4, 0, TWO_LAUNCHES, 8, NOTHING},
    {AMPERE, 1, 8, 21843, false, METHOD_WTTM, 4, 0, TWO_LAUNCHES, 1, NOTHING},
    {AMPERE, 108, 2, 200000, false, METHOD_KD, 4, 0.1, TWO_LAUNCHES, 32, NOTHING},
    {TURING, 2, 8, 12289, false, METHOD_WTTM, 4, 0.1, TWO_LAUNCHES, 2, NOTHING},
    {TURING, 40, 2, 60000, true, METHOD_TTM, 4, 0, TWO_LAUNCHES, 11, NOTHING},
    {TURING, 40, 2, 60000, false, METHOD_CE, 1, 0, TWO_LAUNCHES, 23, GRADIENT},
};

/* --- data --- */

static float random_logit(int row, int k, int stream, enum oddity oddity) {
    float unit =
        rng_unit(rng_philox((uint64_t)stream, (uint32_t)k, (uint32_t)row, RNG_TEST, 0).word[0]);
    if (oddity == TIES)
        return floorf(3 * unit) - 1;
    return (unit - 0.5f) * (oddity == WIDE ? 300.0f : 8.0f);
}

static float rounded(float x, bool bf16) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (bf16 && isfinite(x))
        bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The arrays of a case: what kernels see (device), and the same as floats. */
struct data {
    size_t count, bytes; /* logits; bytes of one on the device */
    float *z, *t;
    int32_t *label;
    void *device_z, *device_t, *device_gradient[2], *workspace;
    float *rows[2];
};

static void *fenced(size_t bytes) {
    void *memory = NULL;
    CHECK(posix_memalign(&memory, 64, bytes + FENCE) == 0);
    memset(memory, 0xa5, bytes + FENCE);
    return memory;
}

static void check_fence(const struct loss_case *it, const void *memory, size_t bytes) {
    const unsigned char *fence = (const unsigned char *)memory + bytes;
    for (int i = 0; i < FENCE; i++)
        if (fence[i] != 0xa5) {
            T_FAIL("%d classes: written behind an array", it->classes);
            return;
        }
}

static void fill_row(const struct loss_case *it, struct data *data, int n) {
    enum oddity oddity = (enum oddity)(n % ODDITIES);
    float *z = data->z + (size_t)n * (size_t)it->classes,
          *t = data->t + (size_t)n * (size_t)it->classes;
    int middle = it->classes / 2;
    for (int k = 0; k < it->classes; k++) {
        z[k] = rounded(random_logit(n, k, 1, oddity), it->bf16);
        t[k] = rounded(random_logit(n, k, 2, oddity), it->bf16);
    }
    data->label[n] =
        (int32_t)(rng_philox(3, (uint32_t)n, 0, RNG_TEST, 0).word[0] % (uint32_t)it->classes);
    if (n % 2 && oddity != TIES)
        data->label[n] = n % 3 ? it->classes - 1 : 0; /* in the edge, if there is one */
    z[middle] = oddity == Z_NAN              ? NAN
                : oddity == Z_INFINITE       ? INFINITY
                : oddity == Z_MINUS_INFINITE ? -INFINITY
                                             : z[middle];
    t[middle] = oddity == T_NAN ? NAN : oddity == T_MINUS_INFINITE ? -INFINITY : t[middle];
}

static void to_device(const struct loss_case *it, const struct data *data, const float *from,
                      void *to) {
    for (size_t i = 0; i < data->count; i++)
        memcpy((char *)to + i * data->bytes, (const char *)&from[i] + (it->bf16 ? 2 : 0),
               data->bytes);
}

static void data_init(const struct loss_case *it, struct data *data) {
    data->count = (size_t)it->n * (size_t)it->classes;
    data->bytes = it->bf16 ? 2 : 4;
    data->z = xcalloc(data->count, sizeof(float));
    data->t = xcalloc(data->count, sizeof(float));
    data->label = xcalloc((size_t)it->n, sizeof(int32_t));
    data->device_z = fenced(data->count * data->bytes);
    data->device_t = fenced(data->count * data->bytes);
    for (int i = 0; i < 2; i++) {
        data->device_gradient[i] = fenced(data->count * data->bytes);
        data->rows[i] = fenced((size_t)it->n * ROW_FIELDS * sizeof(float));
    }
    for (int n = 0; n < it->n; n++)
        fill_row(it, data, n);
    to_device(it, data, data->z, data->device_z);
    to_device(it, data, data->t, data->device_t);
}

static void data_release(struct data *data) {
    void *memory[] = {data->z,
                      data->t,
                      data->label,
                      data->device_z,
                      data->device_t,
                      data->device_gradient[0],
                      data->device_gradient[1],
                      data->rows[0],
                      data->rows[1],
                      data->workspace};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        free(memory[i]);
}

/* --- checks --- */

static float from_device(const struct loss_case *it, const void *array, size_t i) {
    float x = 0;
    memcpy((char *)&x + (it->bf16 ? 2 : 0), (const char *)array + i * (it->bf16 ? 2 : 4),
           it->bf16 ? 2 : 4);
    return x;
}

/* A bf16 has 8 bits. */
static void check_gradient(const struct loss_case *it, const struct data *data, int n,
                           const double *expected) {
    double largest = 0, share = 1.0 / it->n;
    for (int k = 0; k < it->classes; k++)
        if (isfinite(expected[k]))
            largest = fmax(largest, fabs(expected[k]) * share);
    for (int k = 0; k < it->classes; k++) {
        double e = expected[k] * share;
        double a = (double)from_device(it, data->device_gradient[0],
                                       (size_t)n * (size_t)it->classes + (size_t)k);
        double tolerance = 2e-5 * (largest + 1e-3) + (it->bf16 ? fabs(e) / 256 : 0);
        bool near = isfinite(e) ? fabs(a - e) <= tolerance : !isfinite(a);
        if (near)
            continue;
        T_FAIL("%d classes, row %d: gradient[%d] is %g, expected %g", it->classes, n, k, a, e);
        return;
    }
}

static void check_row(const struct loss_case *it, const struct data *data, int n,
                      const struct loss_row *expected) {
    const float *row = data->rows[0] + n * ROW_FIELDS;
    double number[] = {[ROW_LOSS] = expected->loss,
                       [ROW_CE] = expected->ce,
                       [ROW_DISTILL] = expected->distill,
                       [ROW_TOP1] = expected->rank == 0,
                       [ROW_TOP5] = expected->rank < 5,
                       [ROW_FINITE] = expected->finite,
                       [ROW_FIELDS - 1] = 0};
    double size = 1 + (isfinite(expected->ce) ? fabs(expected->ce) : 0) +
                  (isfinite(expected->distill) ? fabs(expected->distill) : 0);
    for (int i = 0; i < ROW_FIELDS; i++) {
        bool near = isfinite(number[i]) ? fabs((double)row[i] - number[i]) <= 2e-5 * size
                                        : !isfinite(row[i]);
        if (!near)
            T_FAIL("%d classes, row %d, method %d: column %d is %g, expected %g", it->classes, n,
                   (int)it->method, i, (double)row[i], number[i]);
    }
}

static void check_rows(const struct loss_case *it, const struct data *data,
                       const struct loss_terms *terms) {
    double *gradient = xcalloc((size_t)it->classes, sizeof *gradient);
    for (int n = 0; n < it->n; n++) {
        size_t first = (size_t)n * (size_t)it->classes;
        struct loss_row row = loss_reference(terms, data->z + first, data->t + first,
                                             data->label[n], it->classes, gradient);
        check_row(it, data, n, &row);
        if (it->without != GRADIENT)
            check_gradient(it, data, n, gradient);
    }
    free(gradient);
}

static void run_twice(const struct loss_case *it, struct data *data, const struct loss_terms *terms,
                      const struct queue *queue) {
    struct loss_size size = {it->n, it->classes, it->bf16, it->method != METHOD_CE};
    struct loss_plan plan = launch_distill_loss_plan(queue, size);
    struct step step = {0};
    enum place place = plan.workspace_bytes ? TWO_LAUNCHES : plan.shared_bytes ? SHARED : REGISTERS;
    step.student[1].ce_weight = (float)terms->ce_weight;
    step.student[1].distill_weight = (float)terms->distill_weight;
    if (place != it->place || plan.blocks != it->blocks || plan.shared_bytes > queue->shared_bytes)
        T_FAIL("%d classes: place %d, %d blocks, %zu bytes", it->classes, (int)place, plan.blocks,
               plan.shared_bytes);
    data->workspace = fenced(plan.workspace_bytes);
    for (int i = 0; i < 2; i++) {
        struct loss_args args = {
            .student = {data->device_z, it->bf16},
            .teacher = {size.teacher ? data->device_t : NULL, it->bf16},
            .gradient = {it->without == GRADIENT ? NULL : data->device_gradient[i], it->bf16},
            .label = data->label,
            .rows = data->rows[i],
            .step = &step,
            .n = it->n,
            .classes = it->classes,
            .slot = 1,
            .gamma = (float)terms->gamma,
            .tau = (float)terms->tau,
            .scale = (float)terms->scale,
            .label_smoothing = (float)terms->label_smoothing,
            .power_weight = terms->power_weight,
            .workspace = data->workspace};
        launch_distill_loss(queue, &plan, &args);
    }
    check_fence(it, data->workspace, plan.workspace_bytes);
}

static void check_case(const struct loss_case *it) {
    struct queue queue = cards[it->card];
    struct data data = {0};
    double beta = it->method == METHOD_CE || it->without == WEIGHT ? 0 : 1.5;
    struct loss_terms terms =
        loss_terms_of(it->method, it->temperature, beta, 0.75, (double)(float)it->smoothing);
    queue.processors = it->processors;
    data_init(it, &data);
    run_twice(it, &data, &terms, &queue);
    check_rows(it, &data, &terms);
    size_t rows_bytes = (size_t)it->n * ROW_FIELDS * sizeof(float), bytes = data.count * data.bytes;
    if (memcmp(data.rows[0], data.rows[1], rows_bytes) != 0 ||
        memcmp(data.device_gradient[0], data.device_gradient[1], bytes) != 0)
        T_FAIL("%d classes: differs when run again", it->classes);
    for (int i = 0; i < 2; i++) {
        check_fence(it, data.rows[i], rows_bytes);
        check_fence(it, data.device_gradient[i], bytes);
    }
    data_release(&data);
}

static void in_registers(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (cases[i].place == REGISTERS)
            check_case(&cases[i]);
}

static void in_shared_memory(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (cases[i].place == SHARED)
            check_case(&cases[i]);
}

static void in_two_launches(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (cases[i].place == TWO_LAUNCHES)
            check_case(&cases[i]);
}

int main(void) {
    T_RUN(in_registers);
    T_RUN(in_shared_memory);
    T_RUN(in_two_launches);
    return t_done();
}
