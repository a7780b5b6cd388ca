/* Whole training steps on the cpu backend: repeatable to the byte, right, and without allocation.
 */
#include "small_net.h"

#include "engine/base/mem.h"

enum { STEPS = 4 };

/* The weights after some steps; the caller's to free. */
static float *train(int threads, enum dtype dtype, bool poison) {
    struct small_net net;
    struct error err = {0};
    float *weight = NULL;
    if (small_open(&net, DEVICE_CPU, threads, dtype, &err)) {
        T_FAIL("%s", err.message);
    } else {
        if (poison)
            exec_poison(net.exec);
        small_run(&net, STEPS);
        weight = calloc(net.table.weight_floats, sizeof *weight);
        memcpy(weight, net.params.weight, net.table.weight_floats * sizeof *weight);
    }
    small_close(&net);
    return weight;
}

static size_t weight_floats(void) {
    struct small_net net = {0};
    small_collect(&net);
    size_t floats = net.table.weight_floats;
    param_table_release(&net.table);
    return floats;
}

static bool can_bf16(void) {
    struct small_net net;
    bool can = small_open(&net, DEVICE_CPU, 1, DTYPE_BF16, NULL) == STATUS_OK;
    small_close(&net);
    return can;
}

static void check_same_bytes(enum dtype dtype) {
    for (int threads = 1; threads <= 2; threads++) {
        float *first = train(threads, dtype, false), *again = train(threads, dtype, true);
        if (first && again)
            T_INT(memcmp(first, again, weight_floats() * sizeof *first), 0);
        free(first);
        free(again);
    }
}

static void test_same_bytes_every_run(void) {
    check_same_bytes(DTYPE_F32);
    if (can_bf16())
        check_same_bytes(DTYPE_BF16);
}

static double loss_of(enum device_kind kind, int threads, enum dtype dtype) {
    struct small_net net;
    struct error err = {0};
    double loss = NAN;
    if (small_open(&net, kind, threads, dtype, &err)) {
        T_FAIL("%s", err.message);
    } else {
        small_run(&net, STEPS);
        loss = small_loss(&net);
    }
    small_close(&net);
    return loss;
}

static void test_learns_as_ref_does(void) {
    double expected = loss_of(DEVICE_REF, 1, DTYPE_F32);
    T_CHECK(expected < 2.3);
    T_NEAR(loss_of(DEVICE_CPU, 1, DTYPE_F32), expected, 2e-4);
    T_NEAR(loss_of(DEVICE_CPU, 2, DTYPE_F32), expected, 2e-4);
    if (can_bf16())
        T_NEAR(loss_of(DEVICE_CPU, 2, DTYPE_BF16), expected, 0.05);
}

static void test_runs_allocate_nothing(void) {
    struct small_net net;
    T_INT(small_open(&net, DEVICE_CPU, 2, DTYPE_F32, NULL), STATUS_OK);
    small_run(&net, 1);
    uint64_t before = mem_allocations();
    small_run(&net, 3);
    T_INT(mem_allocations() - before, 0);
    small_close(&net);
}

static void test_identity(void) {
    struct device first, second;
    T_INT(device_open(&first, DEVICE_CPU, 1, NULL), STATUS_OK);
    T_INT(device_open(&second, DEVICE_CPU, 2, NULL), STATUS_OK);
    T_CONTAINS(first.identity, "cpu oneDNN ");
    T_STR(first.identity, second.identity);
    device_close(&first);
    device_close(&second);
}

int main(void) {
    struct device device;
    if (device_open(&device, DEVICE_CPU, 1, NULL) != STATUS_OK)
        return 77; /* built without oneDNN */
    device_close(&device);
    T_RUN(test_same_bytes_every_run);
    T_RUN(test_learns_as_ref_does);
    T_RUN(test_runs_allocate_nothing);
    T_RUN(test_identity);
    return t_done();
}
