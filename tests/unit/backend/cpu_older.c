/* The cpu backend on processors without AVX-512: oneDNN is told not to see it. */
#include "small_net.h"

static void test_refuses_bf16(void) {
    struct small_net net;
    struct error err = {0};
    T_INT(small_open(&net, DEVICE_CPU, 1, DTYPE_BF16, &err), STATUS_UNSUPPORTED);
    T_CONTAINS(err.message, "bf16");
    T_STR(err.field, "precision");
    small_close(&net);
}

static void test_learns_as_ref_does(void) {
    double loss[2] = {0};
    enum device_kind kind[] = {DEVICE_REF, DEVICE_CPU};
    for (int i = 0; i < 2; i++) {
        struct small_net net;
        T_INT(small_open(&net, kind[i], 2, DTYPE_F32, NULL), STATUS_OK);
        small_run(&net, 3);
        loss[i] = small_loss(&net);
        small_close(&net);
    }
    T_NEAR(loss[1], loss[0], 2e-4);
}

static void test_identity_tells(void) {
    struct device device;
    T_INT(device_open(&device, DEVICE_CPU, 1, NULL), STATUS_OK);
    T_CHECK(!strstr(device.identity, "avx512"));
    device_close(&device);
}

int main(void) {
    struct device device;
    setenv("DNNL_MAX_CPU_ISA", "AVX2", 1); /* read once, at the first call */
    if (device_open(&device, DEVICE_CPU, 1, NULL) != STATUS_OK)
        return 77; /* built without oneDNN */
    device_close(&device);
    T_RUN(test_refuses_bf16);
    T_RUN(test_learns_as_ref_does);
    T_RUN(test_identity_tells);
    return t_done();
}
