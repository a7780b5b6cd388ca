/*
 * program.h - a training step or a forward pass as a flat array of ops over numbered values.
 *
 * Values are indices, never pointers, so a program prints, compares and copies. Layout is NHWC,
 * weights are KRSC. Each value that ops write is written by exactly one, before all that read it.
 * Only the ops that update state in place (bn_update, tally, sgd, adamw) break this rule. They
 * stand in the last section, so all before it can be run again with the same result.
 *
 * Ownership: program_free frees values and ops. A sealed program is immutable; executables borrow
 *            it.
 * Threads:   a sealed program may be shared freely.
 */
#ifndef ENGINE_GRAPH_PROGRAM_H
#define ENGINE_GRAPH_PROGRAM_H

#include "engine/base/str.h"
#include "engine/graph/op_attr.h"

enum opcode {
#define OP(code, name, inputs, outputs) OP_##code,
#include "engine/graph/ops.def"
#undef OP
    OP_COUNT
};

enum { OP_MAX_IN = 8, OP_MAX_OUT = 4, PROGRAM_MAX_NETS = 4, NO_VALUE = -1 };

enum dtype { DTYPE_F32, DTYPE_BF16, DTYPE_U8, DTYPE_I32, DTYPE_F64, DTYPE_COUNT };

struct shape {
    int n, h, w, c;
};

enum value_kind {
    VALUE_INPUT,         /* written from outside before a run */
    VALUE_ACTIVATION,    /* lives from its first to its last op */
    VALUE_OUTPUT,        /* readable after a run */
    VALUE_DERIVED,       /* computed by the prologue, kept until parameters change */
    VALUE_TALLY,         /* kept from run to run; starts as zero */
    VALUE_SHARED,        /* in memory of its owner, which several programs may read */
    VALUE_WEIGHT,        /* in the weights of network net, from offset on */
    VALUE_GRADIENT,      /* the same place in its gradients */
    VALUE_MOMENTUM,      /* the same place in its first optimiser slot */
    VALUE_SECOND_MOMENT, /* the same place in its second optimiser slot */
    VALUE_STATE          /* in its running state, from offset on */
};

struct value {
    char name[56];
    struct shape shape;
    enum dtype dtype;
    enum value_kind kind;
    int net;         /* network of a VALUE_WEIGHT and the kinds after it */
    size_t offset;   /* in floats, of the same kinds */
    int first, last; /* ops that write first and use last; filled by program_seal */
};

/* Sections run in this order. The prologue runs when parameters have changed, not every step. */
enum section { SECTION_PROLOGUE, SECTION_FORWARD, SECTION_BACKWARD, SECTION_UPDATE, SECTION_COUNT };

/* Columns of distill_loss's rows; each is f32. */
enum row_field { ROW_LOSS, ROW_CE, ROW_DISTILL, ROW_TOP1, ROW_TOP5, ROW_FINITE, ROW_FIELDS = 8 };

/* Columns of the tally; each is f64. bad_step and bad_row are of the first row that is not finite
 * (bad_step is step.index + 1; 0 means none). */
enum tally_field {
    TALLY_LOSS,
    TALLY_CE,
    TALLY_DISTILL,
    TALLY_TOP1,
    TALLY_TOP5,
    TALLY_COUNT,
    TALLY_BAD_STEP,
    TALLY_BAD_ROW,
    TALLY_FIELDS
};

struct op {
    enum opcode code;
    enum section section;
    int in[OP_MAX_IN]; /* NO_VALUE: absent */
    int out[OP_MAX_OUT];
    union op_attr attr;
};

struct program {
    struct value *value;
    int n_values, value_capacity;
    struct op *op;
    int n_ops, op_capacity;
    int n_nets;
    bool tf32; /* products of values in f32 may round their operands to TF32 */
    bool sealed;
};

/* What changes from step to step; the only thing kernels read beside values. */
enum { STEP_STUDENTS_MAX = PROGRAM_MAX_NETS };
struct step {
    uint64_t index; /* steps done before this one */
    uint64_t seed;  /* of what is random inside the network */
    uint64_t data_seed;
    uint32_t epoch;  /* 1-based */
    int32_t n_valid; /* rows that count in tally */
    int32_t first;   /* gather: the first row's place in the epoch's order */
    struct {
        float learning_rate, ce_weight, distill_weight;
    } student[STEP_STUDENTS_MAX];
};

void program_init(struct program *program); /* Empty. */
void program_free(struct program *program); /* Frees contents; empty again. */

/* An op with all inputs and outputs absent and zero attributes. */
struct op op_new(enum opcode code, enum section section);

/* Appends a value; returns its index. */
int program_add_value(struct program *program, const struct value *value);

/* Appends an op whose in, attr, section and given outputs (>= 0) are set. Outputs that are
 * NO_VALUE are created as activations with the shape that the op's row infers, unless bit i of
 * absent says that output i is not wanted. Checks arity and shapes: a fault of the program aborts,
 * because user input was checked before. Returns the op's index. */
int program_add_op(struct program *program, const struct op *op, unsigned absent);

/* The same; returns a copy of the op as added, with all its outputs. (Indexing program->op with
 * program_add_op's result in one expression would read an array that has moved.) */
struct op program_emit(struct program *program, const struct op *op, unsigned absent);

/* Computes lifetimes; nothing may be added afterwards. Ops are stably sorted by section. */
void program_seal(struct program *program);

/* True if no run changes the value: it is derived, or a weight of a network that no op of the
 * program updates. It changes only when parameters are changed from outside. */
bool program_keeps(const struct program *program, int value);

int64_t shape_elements(struct shape shape);          /* n h w c */
bool shape_equal(struct shape a, struct shape b);    /* All four agree. */
const char *dtype_name(enum dtype dtype);            /* "f32" */
size_t dtype_bytes(enum dtype dtype);                /* Bytes of an element. */
const char *value_kind_name(enum value_kind kind);   /* "activation" */
size_t value_bytes(const struct value *value);       /* Elements times dtype. */
bool value_is_persistent(const struct value *value); /* Anything but an activation. */

#endif
