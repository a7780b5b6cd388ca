/*
 * dnn_operand.h - one tensor of a primitive: outside as it lies in memory, inside as the primitive
 * wants it; for dnn*.c only.
 *
 * Where both are the same nothing is moved. Otherwise the inside lives in a slot of the workspace
 * (or in memory of the caller's) and reorders bring it in and out.
 *
 * Ownership: dnn_operand_init ... dnn_operand_release; the outside descriptor becomes the
 *            operand's, also on failure; the inside one is borrowed.
 */
#ifndef ENGINE_BACKEND_CPU_DNN_OPERAND_H
#define ENGINE_BACKEND_CPU_DNN_OPERAND_H

#include "engine/backend/cpu/dnn_version.h"

struct dnn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

struct dnn_operand {
    void *outside_md;
    const void *inside_md;
    dnnl_memory_t outside, inside;
    dnnl_primitive_t in, out; /* NULL: no such move */
    void *outside_at, *inside_at;
};

enum dnn_moves { DNN_READ = 1, DNN_WRITTEN = 2 };

/* INVALID descriptors and missing reorders are UNSUPPORTED. moves are of enum dnn_moves. */
MUST_CHECK enum status dnn_operand_init(struct dnn_operand *operand, const struct dnn *dnn,
                                        void *outside_md, const void *inside_md, unsigned moves,
                                        struct error *err);
void dnn_operand_release(struct dnn_operand *operand); /* Zeroed or initialised. */

/* Bytes of the inside where it differs from the outside, else 0; a multiple of 64. */
size_t dnn_operand_slot_bytes(const struct dnn_operand *operand);

/* Says where the data are; slot is not used where inside and outside are the same. */
void dnn_operand_bind(struct dnn_operand *operand, void *outside, void *slot);

void dnn_operand_bring_in(const struct dnn_operand *operand, const struct dnn *dnn);  /* Before. */
void dnn_operand_bring_out(const struct dnn_operand *operand, const struct dnn *dnn); /* After. */

/* For an operand that was brought in to memory of the caller's and will not change any more: shares
 * that memory (kept.h), binds the operand to it and returns where it is now. */
void *dnn_operand_keep(struct dnn_operand *operand, struct device *device, void *inside);

/* Bytes behind a descriptor, rounded up to a multiple of 64. */
size_t dnn_md_bytes(const void *md);

/* The sentence for a status of oneDNN: OUT_OF_MEMORY or UNSUPPORTED. */
enum status dnn_error(struct error *err, dnnl_status_t status, const char *what);

#endif
