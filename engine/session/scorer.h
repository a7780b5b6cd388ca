/*
 * scorer.h - computes an evaluation from logits and labels, picture by picture.
 *
 * Everything is summed in double in the order of the calls, so the same pictures in the same order
 * give the same evaluation, bit for bit. Of equal logits the lower index is the better class.
 *
 * Ownership: scorer_create ... scorer_free.
 * Errors:    DIVERGED for logits whose loss is not finite, OUT_OF_MEMORY.
 * Threads:   a scorer belongs to one thread.
 */
#ifndef ENGINE_SESSION_SCORER_H
#define ENGINE_SESSION_SCORER_H

#include "engine/session/evaluator.h"
#include "engine/spec/evaluation.h"

struct scorer;

/* What a model makes of one picture. */
struct scored {
    int predicted;   /* its best class */
    double score;    /* the probability of that */
    double loss;     /* cross entropy with the label */
    bool top1, top5; /* the label is the best class, or among the best five */
};

/* For at most so many pictures of so many classes. */
MUST_CHECK enum status scorer_create(struct scorer **out, int64_t pictures, int classes,
                                     struct error *err);
void scorer_free(struct scorer *scorer); /* NULL is allowed. */

/* Adds the picture at a place of the split by its logits [classes]; scored may be NULL. */
MUST_CHECK enum status scorer_add(struct scorer *scorer, int64_t offset, int label,
                                  const float *logits, struct scored *scored, struct error *err);

/* Adds the pictures of a batch. */
MUST_CHECK enum status scorer_add_batch(struct scorer *scorer, const struct evaluator_batch *batch,
                                        struct error *err);

/* Means of what was added so far, without lists. */
struct scorer_means {
    double loss, top1, top5;
};
struct scorer_means scorer_means(const struct scorer *scorer);

/* The evaluation of what was added, at least one picture; its texts are the caller's to fill. */
void scorer_end(struct scorer *scorer, struct evaluation *out);

#endif
