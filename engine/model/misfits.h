/*
 * misfits.h - all that is wrong with a weights file for a network, not only the first thing.
 *
 * Every name, shape and type is looked at. Each kind is counted; the first tensors are listed by
 * name with a sentence of their own.
 *
 * Threads: values, pure functions.
 */
#ifndef ENGINE_MODEL_MISFITS_H
#define ENGINE_MODEL_MISFITS_H

#include "engine/base/safetensors.h"
#include "engine/graph/param_table.h"

enum misfit_kind {
    MISFIT_MISSING,
    MISFIT_UNEXPECTED,
    MISFIT_SHAPE,
    MISFIT_TYPE,  /* other than F32, F16, BF16; a counter of batches is I64 */
    MISFIT_VALUE, /* NaN or infinite */
    MISFIT_KINDS
};

enum { MISFITS_LISTED = 32, MISFIT_TENSOR_BYTES = 64, MISFIT_DETAIL_BYTES = 200 };

struct misfit {
    enum misfit_kind kind;
    char tensor[MISFIT_TENSOR_BYTES]; /* shortened if long */
    char detail[MISFIT_DETAIL_BYTES]; /* "tensor conv1.weight has shape [16], ..." */
};

/* Zero-initialise. */
struct misfits {
    int count[MISFIT_KINDS];
    int listed;
    struct misfit item[MISFITS_LISTED];
};

/* Adds what is missing, unexpected, misshapen or of a wrong type. num_batches_tracked may be there
 * or not. */
void misfits_find(struct misfits *misfits, const struct param_table *table,
                  const struct safetensors *file);

/* Adds a tensor that has so many elements that are NaN or infinite; none is fine. */
void misfits_add_values(struct misfits *misfits, const struct param *param,
                        const struct tensor *tensor, const float *values);

int misfits_total(const struct misfits *misfits); /* Over all kinds. */

/* INVALID with the counts and the first sentences, if there are any; `what` is the network. */
MUST_CHECK enum status misfits_status(const struct misfits *misfits, const char *what,
                                      struct error *err);

#endif
