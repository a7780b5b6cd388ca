/*
 * grad.h - the derivative of a program, as more ops of the same program.
 *
 * The sweep walks the ops from the last to first_op and lets each opcode's rule append ordinary
 * ops. A value that is used several times collects several gradients; a rule takes them summed
 * (gradient_take) or as a pair (gradient_take_pair), so that fused kernels can add on the fly.
 */
#ifndef ENGINE_GRAPH_GRAD_H
#define ENGINE_GRAPH_GRAD_H

#include "engine/graph/ops.h"

/* Appends the backward section for all ops from first_op on. Weights of networks used there
 * receive their gradients in the gradient arena. */
void program_add_gradient(struct program *program, int first_op);

/* For the rules in ops_*.c only: */
struct program *gradient_program(struct gradient *gradient);      /* The program being extended. */
bool gradient_wanted(const struct gradient *gradient, int value); /* Does a weight precede it? */
void gradient_give(struct gradient *gradient, int value, int grad); /* Adds one contribution. */
int gradient_take(struct gradient *gradient, int value);            /* The sum, or NO_VALUE. */
void gradient_take_pair(struct gradient *gradient, int value, int pair[2]); /* Up to two. */
/* The sum of what has been given so far; more may follow, which does not include it. */
int gradient_withdraw(struct gradient *gradient, int value);
int gradient_like(struct gradient *gradient, int value);       /* A new value of the same shape. */
int gradient_of_weight(struct gradient *gradient, int weight); /* Its place in the arena. */

#endif
