/*
 * library.h - a shared library found when it is wanted: by the loader's own rules first, then in
 * the folders where packages and Python's wheels put it.
 *
 * Folders named by DISTILL_LIBRARY_PATH, with colons between them, come before all others.
 *
 * Ownership: a library stays loaded to the program's end.
 */
#ifndef ENGINE_BACKEND_CUDA_LIBRARY_H
#define ENGINE_BACKEND_CUDA_LIBRARY_H

#include "engine/base/status.h"

/* Loads the first that is found; UNSUPPORTED says which file is missing and what has it. */
MUST_CHECK enum status library_open(void **out, const char *file, const char *what_has_it,
                                    struct error *err);

/* cuBLASLt, which cuDNN wants to find loaded. */
MUST_CHECK enum status library_open_blas(void **out, struct error *err);

/* The address of a function; UNSUPPORTED when the library has no such one. */
MUST_CHECK enum status library_function(void **out, void *library, const char *name,
                                        struct error *err);

#endif
