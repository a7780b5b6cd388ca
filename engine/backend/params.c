#include "engine/backend/params.h"

#include <string.h>

static enum status alloc_floats(struct params *params, float **out, size_t floats, const char *what,
                                struct error *err) {
    struct device *device = params->device;
    void *ptr = NULL;
    size_t bytes = (floats + 1) * sizeof(float); /* never empty */
    enum status status = device->backend->alloc(device, &ptr, bytes, what, err);
    if (!status)
        device->backend->fill(device, ptr, 0, bytes);
    *out = ptr;
    return status;
}

enum status params_create(struct params *params, struct device *device,
                          const struct param_table *table, int slots, struct error *err) {
    *params = (struct params){.device = device, .table = table};
    enum status status =
        alloc_floats(params, &params->weight, table->weight_floats, "weights", err);
    if (!status)
        status = alloc_floats(params, &params->state, table->state_floats, "running state", err);
    if (!status && slots)
        status = alloc_floats(params, &params->gradient, table->weight_floats, "gradients", err);
    if (!status && slots)
        status = alloc_floats(params, &params->momentum, table->weight_floats, "momentum", err);
    if (!status && slots > 1)
        status = alloc_floats(params, &params->second_moment, table->weight_floats,
                              "second moments", err);
    if (status)
        params_release(params);
    return status;
}

void params_release(struct params *params) {
    float *arena[] = {params->weight, params->state, params->gradient, params->momentum,
                      params->second_moment};
    for (size_t i = 0; i < sizeof arena / sizeof *arena; i++)
        if (arena[i])
            params->device->backend->free(params->device, arena[i]);
    memset(params, 0, sizeof *params);
}

void params_upload(struct params *params, const float *weight, const float *state) {
    const struct param_table *table = params->table;
    backend_copy_fn *copy = params->device->backend->upload;
    copy(params->device, params->weight, weight, table->weight_floats * sizeof *weight);
    if (table->state_floats)
        copy(params->device, params->state, state, table->state_floats * sizeof *state);
}

void params_download(const struct params *params, float *weight, float *state) {
    const struct param_table *table = params->table;
    backend_copy_fn *copy = params->device->backend->download;
    copy(params->device, weight, params->weight, table->weight_floats * sizeof *weight);
    if (table->state_floats)
        copy(params->device, state, params->state, table->state_floats * sizeof *state);
}
