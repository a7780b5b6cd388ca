/*
 * devices.h - runs a test on every device that opens: ref, and a GPU or the emulation of one.
 */
#ifndef TESTS_UNIT_SESSION_DEVICES_H
#define TESTS_UNIT_SESSION_DEVICES_H

#include "engine/backend/backend.h"
#include "tests/support/t.h"

/* Where there is no GPU, says so. */
static inline void on_every_device(void (*test)(enum device_kind kind)) {
    struct device device;
    struct error err;
    test(DEVICE_REF);
    if (device_open(&device, DEVICE_CUDA, 1, &err) != STATUS_OK) {
        printf("left out: %s\n", err.message);
        return;
    }
    printf("%s\n", device.identity);
    device_close(&device);
    test(DEVICE_CUDA);
}

#endif
