#include "engine/backend/backend.h"

#include <string.h>

size_t plain_bytes(const struct value *value) {
    size_t element = value->dtype == DTYPE_BF16 ? sizeof(float) : dtype_bytes(value->dtype);
    return (size_t)shape_elements(value->shape) * element;
}

static enum status try_open(struct device *device, const struct backend *backend, int threads,
                            struct error *err) {
    memset(device, 0, sizeof *device);
    device->backend = backend;
    device->threads = threads;
    enum status status = backend->open(device, err);
    if (status != STATUS_OK)
        memset(device, 0, sizeof *device);
    return status;
}

/* Names as in the device field of a spec, in enum device_kind's order. */
static const char *const kind_names[] = {"auto", "cpu", "ref", "cuda"};

enum status device_open(struct device *device, enum device_kind kind, int threads,
                        struct error *err) {
    struct error last = {STATUS_UNSUPPORTED, "", "this build has no backend"};
    for (const struct backend *const *row = backend_table; *row; row++) {
        if (kind != DEVICE_AUTO && !str_equal((*row)->name, kind_names[kind]))
            continue;
        enum status status = try_open(device, *row, threads, &last);
        if (status == STATUS_OK || kind != DEVICE_AUTO) {
            if (status != STATUS_OK && err)
                *err = last;
            return status;
        }
    }
    if (kind == DEVICE_AUTO)
        return error_set(err, last.status, "%s", last.message);
    return error_set_field(err, STATUS_UNSUPPORTED, "device",
                           "this build has no %s backend; see: distill help", kind_names[kind]);
}

void device_close(struct device *device) {
    if (device->backend)
        device->backend->close(device);
    memset(device, 0, sizeof *device);
}
