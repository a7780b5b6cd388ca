#include "engine/backend/backend.h"

#include <string.h>

size_t plain_bytes(const struct value *value) {
    size_t element = value->dtype == DTYPE_BF16 ? sizeof(float) : dtype_bytes(value->dtype);
    return (size_t)shape_elements(value->shape) * element;
}

double plain_element(enum dtype dtype, const void *data, int64_t i) {
    switch (dtype) {
    case DTYPE_U8:
        return ((const uint8_t *)data)[i];
    case DTYPE_I32:
        return ((const int32_t *)data)[i];
    case DTYPE_F64:
        return ((const double *)data)[i];
    default:
        return (double)((const float *)data)[i];
    }
}

static enum status try_open(struct device *device, const struct backend *backend, int threads,
                            struct error *err) {
    memset(device, 0, sizeof *device);
    device->backend = backend;
    device->threads = threads;
    enum status status = backend->open(device, err);
    if (status)
        memset(device, 0, sizeof *device);
    return status;
}

/* Is there no such device here? One that is there and refuses, or is full, is not passed over. */
static bool is_absent(const struct error *err) {
    return err->status == STATUS_UNSUPPORTED && str_equal(err->field, "device");
}

enum status device_open(struct device *device, enum device_kind kind, int threads,
                        struct error *err) {
    bool any = kind == DEVICE_AUTO;
    struct error last;
    error_set_field(&last, STATUS_UNSUPPORTED, "device", "this build has no %s backend",
                    any ? "" : device_names[kind]);
    for (const struct backend *const *row = backend_table; *row; row++) {
        if (!any && !str_equal((*row)->name, device_names[kind]))
            continue;
        enum status status = try_open(device, *row, threads, &last);
        if (!status)
            return STATUS_OK;
        if (!is_absent(&last))
            break;
    }
    if (err)
        *err = last;
    return last.status;
}

enum status device_check_precision(const struct device *device, enum precision precision,
                                   struct error *err) {
    const struct backend *backend = device->backend;
    const bool can[PRECISION_COUNT] = {
        [PRECISION_F32] = true, [PRECISION_BF16] = backend->bf16, [PRECISION_TF32] = backend->tf32};
    if (can[precision])
        return STATUS_OK;
    return error_set_field(err, STATUS_UNSUPPORTED, "precision",
                           "the %s backend does not compute in %s", backend->name,
                           precision_names[precision]);
}

void device_close(struct device *device) {
    if (device->backend)
        device->backend->close(device);
    memset(device, 0, sizeof *device);
}
