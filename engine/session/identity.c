#include "engine/session/identity.h"

#include <stdio.h>
#include <unistd.h>

/* DISTILL_VERSION is the project's, from CMake. The C library's mathematical functions draw weights
 * and augmentation on every backend. */
void identity_of_device(const struct device *device, char out[TRAINER_IDENTITY_BYTES]) {
    char library[64] = "";
    confstr(_CS_GNU_LIBC_VERSION, library, sizeof library);
    snprintf(out, TRAINER_IDENTITY_BYTES, "distilld %s, %s, %s", DISTILL_VERSION, device->identity,
             library);
}

const char *trainer_version(void) {
    return DISTILL_VERSION;
}

enum status trainer_identity(const struct train_spec *spec, char out[TRAINER_IDENTITY_BYTES],
                             struct error *err) {
    struct device device = {0};
    enum status status =
        device_open(&device, (enum device_kind)spec->device, (int)spec->threads, err);
    if (status)
        return status;
    identity_of_device(&device, out);
    device_close(&device);
    return STATUS_OK;
}
