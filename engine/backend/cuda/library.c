#include "engine/backend/cuda/library.h"

#include "engine/base/str.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Below the root of a Python installation or environment, and of the system. */
static const char *const python_places[] = {
    "lib/python3*/site-packages/nvidia/cudnn/lib",
    "lib/python3*/site-packages/nvidia/cu13/lib",
    "lib/python3*/dist-packages/nvidia/cudnn/lib",
};
static const char *const system_places[] = {
    "/usr/local/cuda/lib64",
    "/usr/local/lib/python3*/dist-packages/nvidia/cudnn/lib",
    "/opt/conda/lib",
};

static void *load_from(const char *folder, const char *file) {
    struct str path = STR_INIT;
    glob_t found = {0};
    void *library = NULL;
    str_addf(&path, "%s/%s", folder, file);
    if (glob(str_text(&path), 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && !library; i++)
            library = dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_LOCAL);
    globfree(&found);
    str_release(&path);
    return library;
}

static void *load_below(const char *root, const char *file) {
    void *library = NULL;
    struct str folder = STR_INIT;
    for (size_t i = 0; i < sizeof python_places / sizeof *python_places && !library; i++) {
        str_clear(&folder);
        str_addf(&folder, "%s/%s", root, python_places[i]);
        library = load_from(str_text(&folder), file);
    }
    str_release(&folder);
    return library;
}

typedef void *load_fn(const char *folder, const char *file);

/* Tries each folder of a list with colons. */
static void *load_listed(const char *list, const char *file, load_fn *load) {
    void *library = NULL;
    while (list && *list && !library) {
        size_t length = strcspn(list, ":");
        struct str folder = STR_INIT;
        str_add_bytes(&folder, list, length);
        if (length)
            library = load(str_text(&folder), file);
        str_release(&folder);
        list += length + (list[length] == ':');
    }
    return library;
}

/* A python3 in this folder of PATH stands in the bin of its installation. */
static void *load_beside_python(const char *folder, const char *file) {
    struct str path = STR_INIT;
    str_addf(&path, "%s/python3", folder);
    bool here = access(str_text(&path), X_OK) == 0;
    str_clear(&path);
    str_addf(&path, "%s/..", folder);
    void *library = here ? load_below(str_text(&path), file) : NULL;
    str_release(&path);
    return library;
}

static void *search(const char *file) {
    void *library = load_listed(getenv("DISTILL_LIBRARY_PATH"), file, load_from);
    if (!library)
        library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library && getenv("VIRTUAL_ENV"))
        library = load_below(getenv("VIRTUAL_ENV"), file);
    if (!library)
        library = load_listed(getenv("PATH"), file, load_beside_python);
    for (size_t i = 0; i < sizeof system_places / sizeof *system_places && !library; i++)
        library = load_from(system_places[i], file);
    return library;
}

enum status library_open(void **out, const char *file, const char *what_has_it, struct error *err) {
    *out = search(file);
    if (*out)
        return STATUS_OK;
    return error_set_field(err, STATUS_UNSUPPORTED, "device",
                           "device=cuda needs %s, which was not found; %s has it", file,
                           what_has_it);
}

enum status library_open_blas(void **out, struct error *err) {
    return library_open(out, "libcublasLt.so.13",
                        "cuBLAS 13 (libcublas-13-0, or pip's nvidia-cublas)", err);
}

enum status library_function(void **out, void *library, const char *name, struct error *err) {
    *out = dlsym(library, name);
    if (*out)
        return STATUS_OK;
    return error_set_field(err, STATUS_UNSUPPORTED, "device", "device=cuda: there is no %s: %s",
                           name, dlerror());
}
