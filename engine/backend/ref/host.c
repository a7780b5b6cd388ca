/* What all backends on the host do alike; here, because ref is always there. */
#include "engine/backend/backend.h"
#include "engine/base/mem.h"

#include <string.h>

enum status host_alloc(struct device *device, void **out, size_t bytes, const char *what,
                       struct error *err) {
    (void)device;
    return mem_alloc_large(out, bytes, what, err);
}

void host_free(struct device *device, void *ptr) {
    (void)device;
    mem_free_large(ptr);
}

void host_copy(struct device *device, void *to, const void *from, size_t bytes) {
    (void)device;
    memcpy(to, from, bytes);
}

void host_fill(struct device *device, void *ptr, int byte, size_t bytes) {
    (void)device;
    memset(ptr, byte, bytes);
}

enum status host_synchronize(struct device *device, struct error *err) {
    (void)device;
    (void)err;
    return STATUS_OK;
}
