#include "engine/session/resident.h"

#include "engine/base/mem.h"

#include <stdlib.h>

static enum status place(struct resident *resident, void **out, const void *from, size_t bytes,
                         struct error *err) {
    struct device *device = resident->device;
    enum status status = device->backend->alloc(device, out, bytes, "the data set", err);
    if (!status && from)
        device->backend->upload(device, *out, from, bytes);
    return status;
}

enum status resident_create(struct resident *resident, struct device *device,
                            const struct loader_plan *plan, struct error *err) {
    const struct split *split = plan->split;
    size_t count = (size_t)split->count, each = sizeof(int32_t);
    CHECK(loader_copies(plan));
    *resident = (struct resident){.device = device, .plan = *plan, .count = (int)count};
    enum status status =
        place(resident, &resident->images, split->images, count * input_bytes(&plan->input), err);
    if (!status)
        status = place(resident, &resident->labels, split->labels, count * each, err);
    if (!status)
        status = place(resident, &resident->order, NULL, count * each, err);
    if (!status)
        resident->host_order = xcalloc(count, each);
    else
        resident_release(resident);
    return status;
}

void resident_release(struct resident *resident) {
    void *const block[] = {resident->images, resident->labels, resident->order};
    for (size_t i = 0; i < sizeof block / sizeof *block; i++)
        if (block[i])
            resident->device->backend->free(resident->device, block[i]);
    free(resident->host_order);
    *resident = (struct resident){0};
}

void resident_bind(const struct resident *resident, const struct run_program *program,
                   struct exec *exec) {
    exec_bind(exec, program->data.images, resident->images);
    exec_bind(exec, program->data.labels, resident->labels);
    exec_bind(exec, program->data.order, resident->order);
}

void resident_turn(struct resident *resident, uint32_t epoch) {
    struct device *device = resident->device;
    if (resident->epoch == epoch)
        return;
    loader_order(&resident->plan, epoch, resident->host_order);
    device->backend->upload(device, resident->order, resident->host_order,
                            (size_t)resident->count * sizeof *resident->host_order);
    resident->epoch = epoch;
}
