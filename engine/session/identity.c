#include "engine/session/identity.h"

#include <stdio.h>

/* DISTILL_VERSION is the project's, from CMake. */
void identity_of_device(const struct device *device, char out[TRAINER_IDENTITY_BYTES]) {
    snprintf(out, TRAINER_IDENTITY_BYTES, "distilld %s, %s", DISTILL_VERSION, device->identity);
}

const char *trainer_version(void) {
    return DISTILL_VERSION;
}

enum status trainer_identity(const struct train_spec *spec, char out[TRAINER_IDENTITY_BYTES],
                             struct error *err) {
    struct device device = {0};
    enum status status =
        device_open(&device, (enum device_kind)spec->device, (int)spec->threads, err);
    if (status != STATUS_OK)
        return status;
    identity_of_device(&device, out);
    device_close(&device);
    return STATUS_OK;
}
