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
struct program *gradient_program(struct gradient *gradient); /* The program being extended. */
/* Does a weight precede it? Nothing absent is wanted. */
bool gradient_wanted(const struct gradient *gradient, int value);
/* Adds one contribution, if there is one and the value is wanted. */
void gradient_give(struct gradient *gradient, int value, int grad);
int gradient_take(struct gradient *gradient, int value); /* The sum, or NO_VALUE. */
void gradient_take_pair(struct gradient *gradient, int value, int pair[2]); /* Up to two. */
/* The sum of what has been given so far; more may follow, which does not include it. */
int gradient_withdraw(struct gradient *gradient, int value);
int gradient_like(struct gradient *gradient, int value);       /* A new value of the same shape. */
int gradient_of_weight(struct gradient *gradient, int weight); /* Its place in the arena, if any. */
/* An op of the backward section, not yet appended: its attributes are those of an op, its first
 * input is the gradient of that one's first output, or NO_VALUE. */
struct op gradient_begin(struct gradient *gradient, const struct op *of, enum opcode code);
/* Appends a begun op whose one output is the gradient of a value, unless there is nothing to begin
 * with or the value is not wanted. Where the op's row infers no shape, the output has the value's.
 */
void gradient_finish(struct gradient *gradient, const struct op *op, int value);
/* The gradients of a product of input and weight, with a bias if there is one, by ops of these
 * codes: "dy weight" to "dx", "dy x" to "dweight dbias?". */
void gradient_of_product(struct gradient *gradient, const struct op *op, enum opcode dx_code,
                         enum opcode dw_code);

#endif
