/*
 * kinds.h - what the setup functions of kinds*.c share.
 */
#ifndef TESTS_OPS_KINDS_H
#define TESTS_OPS_KINDS_H

#include "tests/ops/problem.h"

/* Where most numbers are drawn from. */
static const struct range unit = {-1, 1};

static inline struct shape vector_shape(int c) {
    return (struct shape){1, 1, 1, c};
}

/* [n,h,w,c] of a line; w is h unless given. */
struct shape picture_shape(struct problem *problem);

/* An activation that is empty until an op of the backward section writes it. */
int empty_like(struct problem *problem, int value);

int gradient_place(struct problem *problem, int weight); /* The place of a weight's gradient. */

/* An activation if the line has the key, else NO_VALUE. */
int optional_activation(struct problem *problem, const char *key, struct shape shape);

/* Gradients of a linear layer's weight and bias, then that of its input, which it returns. */
int linear_backward(struct problem *problem, const struct op *linear, int dy);

/* The loss and its neighbours; a NULL name ends the table. */
extern const struct problem_kind loss_kinds[];

/* The ops of transformers; a NULL name ends the table. */
extern const struct problem_kind token_kinds[];

/* What makes steps of gradients; a NULL name ends the table. */
extern const struct problem_kind optimizer_kinds[];

#endif
