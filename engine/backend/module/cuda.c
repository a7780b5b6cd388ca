/*
 * The cuda backend's place in the table of a program that holds none of its code: opening it loads
 * libdistill_cuda.so, so that no program needs a CUDA library to start.
 */
#include "engine/backend/backend.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char module_file[] = "libdistill_cuda.so";

/* Where it may lie, seen from the program's folder. */
static const char *const places[] = {".", "..", "../lib", "../lib/distilld"};

static bool program_folder(char *out, size_t out_bytes) {
    ssize_t length = readlink("/proc/self/exe", out, out_bytes - 1);
    if (length <= 0)
        return false;
    out[length] = 0;
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = 0;
    return slash != NULL;
}

/* The first file that is there is loaded, and no other one: a broken module is not passed over. */
static enum status load(void **out, struct error *err) {
    char folder[512], path[640];
    bool known = program_folder(folder, sizeof folder);
    for (size_t i = 0; known && i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", folder, places[i], module_file);
        if (access(path, R_OK) != 0)
            continue;
        *out = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (*out)
            return STATUS_OK;
        return error_set_field(err, STATUS_UNSUPPORTED, "device", "the cuda backend: %s",
                               dlerror());
    }
    return error_set_field(err, STATUS_UNSUPPORTED, "device",
                           "%s is not beside this program; building it takes nvcc and the headers "
                           "of cuDNN 9 and cuBLASLt (docs/engine.md)",
                           module_file);
}

static bool same_build(const struct backend_module *module) {
    const struct backend_module mine = {.sizes = BACKEND_SIZES};
    return memcmp(module->sizes, mine.sizes, sizeof mine.sizes) == 0;
}

static enum status module_open(struct device *device, struct error *err) {
    void *library = NULL;
    enum status status = load(&library, err);
    if (status)
        return status;
    const struct backend_module *module = dlsym(library, "distill_backend_module");
    if (!module || !same_build(module))
        return error_set_field(err, STATUS_UNSUPPORTED, "device",
                               "%s belongs to another version of this program", module_file);
    device->backend = module->backend;
    return module->backend->open(device, err);
}

/* Only name, sentence and open are used: an open device has the module's own table. */
const struct backend backend_cuda = {
    .name = "cuda",
    .sentence = "an NVIDIA GPU: cuDNN, cuBLASLt and own kernels, a step as one CUDA graph",
    .bf16 = true,
    .tf32 = true,
    .open = module_open,
};
