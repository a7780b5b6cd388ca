/*
 * picture.h - convolutions of pictures with small windows, read as they lie (PLAIN); for the files
 * of this folder only.
 *
 * oneDNN wants pictures as planes, which takes a pass over them, and computes few channels slowly.
 *
 * Ownership: picture_create ... picture_free.
 * Threads:   one at a time.
 */
#ifndef ENGINE_BACKEND_CPU_PICTURE_H
#define ENGINE_BACKEND_CPU_PICTURE_H

#include "engine/backend/cpu/cpu_internal.h"

struct picture;

/* Is this the convolution for it? */
bool picture_fits(const struct dnn_problem *problem);

struct picture *picture_create(const struct kernel_context *context); /* For a conv. */
void picture_free(struct picture *it);                                /* NULL is allowed. */

size_t picture_workspace_bytes(const struct picture *it); /* What a run needs. */

/* What the op says: x PLAIN, y NATIVE. */
void picture_run(struct picture *it, const struct kernel_args *args);

#endif
