/*
 * kept.h - what kernels make of constant weights, shared by those that make the same of them; for
 * the files of this folder only.
 *
 * A model that predicts is run by several programs, for each size of a batch and for each thread.
 * Their kernels hold the same bytes in the end, and these are four times the weights where Winograd
 * wants them. So the second block is freed and the first is used by both.
 *
 * Ownership: a block of mem_alloc_large, then kept_share ... kept_release.
 * Threads:   any.
 */
#ifndef ENGINE_BACKEND_CPU_KEPT_H
#define ENGINE_BACKEND_CPU_KEPT_H

#include "engine/backend/backend.h"

/* Takes over a block. Returns the one to use from now on, which nobody may write; on a device whose
 * weights may change, the block itself. Adds the bytes of a block that is new to the device's
 * kept_bytes. */
void *kept_share(struct device *device, void *block, size_t bytes);

/* Frees a block for which nobody has use any more, shared or not; NULL is allowed. */
void kept_release(void *block);

#endif
