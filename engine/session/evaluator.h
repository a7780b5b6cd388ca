/*
 * evaluator.h - runs a model over a split of a data set, batch by batch, in the split's order.
 *
 * Errors:  INVALID for pictures or classes that the model does not have, what the parts say, and
 *          what the callback returns.
 * Threads: the predictor's own.
 */
#ifndef ENGINE_SESSION_EVALUATOR_H
#define ENGINE_SESSION_EVALUATOR_H

#include "engine/data/dataset.h"
#include "engine/session/predictor.h"

/* Pictures first ... first + rows - 1 of the split. */
struct evaluator_batch {
    int64_t first;
    int rows;
    const int32_t *labels; /* [rows] */
    const float *logits;   /* [rows,classes] */
};

/* Takes a batch, which is valid until it returns; anything but OK ends the run. */
typedef enum status evaluator_fn(void *ctx, const struct evaluator_batch *batch, struct error *err);

/* Can the model take pictures like these (height and width 0: sizes differ) and tell as many
 * classes apart? */
MUST_CHECK enum status evaluator_check(const struct model_info *info, struct network_size pictures,
                                       struct error *err);

int64_t evaluator_batches(int64_t pictures); /* How many batches there will be. */

/* Classifies all pictures of a split of the data set. */
MUST_CHECK enum status evaluator_run(struct predictor *predictor, const struct dataset *dataset,
                                     const struct split *split, evaluator_fn *each, void *ctx,
                                     struct error *err);

#endif
