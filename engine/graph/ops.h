/*
 * ops.h - the table of opcodes: names, shapes, gradients, costs, aliasing.
 *
 * Threads: constant data and pure functions.
 */
#ifndef ENGINE_GRAPH_OPS_H
#define ENGINE_GRAPH_OPS_H

#include "engine/graph/program.h"

struct gradient; /* grad.h */

/* Shapes and dtypes of the outputs from the inputs; aborts on shapes that do not fit. */
typedef void op_infer_fn(const struct program *program, const struct op *op,
                         struct value out[OP_MAX_OUT]);

/* Appends the ops that compute the gradients of this op's inputs; op is no part of the program. */
typedef void op_grad_fn(struct gradient *gradient, const struct op *op);

/* Floating-point operations (2 per multiply-add); bytes are counted from the values. */
typedef double op_flops_fn(const struct program *program, const struct op *op);

struct op_info {
    const char *name, *inputs, *outputs; /* as in ops.def */
    op_infer_fn *infer;                  /* NULL: all outputs are given */
    op_grad_fn *grad;                    /* NULL: no gradient flows through */
    op_flops_fn *flops;                  /* NULL: bandwidth only */
    int8_t inplace[OP_MAX_OUT];          /* 1 + the input that output i may take over; 0: none */
};

extern const struct op_info op_table[OP_COUNT];

int op_input_count(enum opcode code);  /* Named inputs, optional ones included. */
int op_output_count(enum opcode code); /* Named outputs, optional ones included. */

/* Multiply-adds count 2. */
double op_flops(const struct program *program, const struct op *op);

/* Bytes that the op reads and writes at least; nothing of a shared value need be read. */
double op_bytes(const struct program *program, const struct op *op);

#endif
