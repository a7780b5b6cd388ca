#include "engine/graph/ops.h"

#include "engine/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const dtype_names[DTYPE_COUNT] = {"f32", "bf16", "u8", "i32", "f64"};
static const size_t dtype_sizes[DTYPE_COUNT] = {4, 2, 1, 4, 8};
static const char *const kind_names[] = {"input",    "activation",    "output", "derived",
                                         "tally",    "shared",        "weight", "gradient",
                                         "momentum", "second_moment", "state"};

int64_t shape_elements(struct shape shape) {
    return (int64_t)shape.n * shape.h * shape.w * shape.c;
}

bool shape_equal(struct shape a, struct shape b) {
    return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c;
}

const char *dtype_name(enum dtype dtype) {
    return dtype_names[dtype];
}

size_t dtype_bytes(enum dtype dtype) {
    return dtype_sizes[dtype];
}

const char *value_kind_name(enum value_kind kind) {
    return kind_names[kind];
}

size_t value_bytes(const struct value *value) {
    return (size_t)shape_elements(value->shape) * dtype_sizes[value->dtype];
}

bool value_is_persistent(const struct value *value) {
    return value->kind != VALUE_ACTIVATION;
}

void program_init(struct program *program) {
    memset(program, 0, sizeof *program);
}

void program_free(struct program *program) {
    free(program->value);
    free(program->op);
    program_init(program);
}

struct op op_new(enum opcode code, enum section section) {
    struct op op = {.code = code, .section = section};
    for (int i = 0; i < OP_MAX_IN; i++)
        op.in[i] = NO_VALUE;
    for (int i = 0; i < OP_MAX_OUT; i++)
        op.out[i] = NO_VALUE;
    return op;
}

int program_add_value(struct program *program, const struct value *value) {
    CHECK(!program->sealed);
    MEM_GROW(program->value, program->n_values, program->value_capacity);
    program->value[program->n_values] = *value;
    return program->n_values++;
}

/* Inputs must exist and stand where the row's names put them. */
static void check_inputs(const struct program *program, const struct op *op) {
    for (int i = 0; i < OP_MAX_IN; i++) {
        CHECK(op->in[i] == NO_VALUE || i < op_input_count(op->code));
        CHECK(op->in[i] < program->n_values);
    }
}

static void name_output(struct value *value, const struct program *program, enum opcode code) {
    if (!value->name[0])
        snprintf(value->name, sizeof value->name, "%s.%d", op_table[code].name, program->n_ops);
}

int program_add_op(struct program *program, const struct op *op, unsigned absent) {
    CHECK(!program->sealed && op->code < OP_COUNT);
    check_inputs(program, op);
    struct op added = *op;
    struct value inferred[OP_MAX_OUT];
    memset(inferred, 0, sizeof inferred);
    if (op_table[op->code].infer)
        op_table[op->code].infer(program, op, inferred);
    for (int i = 0; i < OP_MAX_OUT; i++) {
        if (i >= op_output_count(op->code) || (absent >> i & 1)) {
            added.out[i] = NO_VALUE;
        } else if (added.out[i] == NO_VALUE) {
            inferred[i].kind = VALUE_ACTIVATION;
            name_output(&inferred[i], program, op->code);
            added.out[i] = program_add_value(program, &inferred[i]);
        } else if (inferred[i].shape.n) {
            CHECK(shape_equal(program->value[added.out[i]].shape, inferred[i].shape));
        }
    }
    MEM_GROW(program->op, program->n_ops, program->op_capacity);
    program->op[program->n_ops] = added;
    return program->n_ops++;
}

struct op program_emit(struct program *program, const struct op *op, unsigned absent) {
    int index = program_add_op(program, op, absent);
    return program->op[index];
}

bool program_keeps(const struct program *program, int value) {
    const struct value *of = &program->value[value];
    for (int i = 0; i < program->n_ops && of->kind == VALUE_WEIGHT; i++)
        for (int k = 0; k < OP_MAX_OUT; k++) {
            int out = program->op[i].out[k];
            if (out != NO_VALUE && program->value[out].kind == VALUE_WEIGHT &&
                program->value[out].net == of->net)
                return false;
        }
    return of->kind == VALUE_DERIVED || of->kind == VALUE_WEIGHT;
}

static void sort_by_section(struct program *program) {
    struct op *sorted = xmalloc((size_t)program->n_ops * sizeof *sorted);
    int n = 0;
    for (int section = 0; section < SECTION_COUNT; section++)
        for (int i = 0; i < program->n_ops; i++)
            if ((int)program->op[i].section == section)
                sorted[n++] = program->op[i];
    CHECK(n == program->n_ops);
    memcpy(program->op, sorted, (size_t)n * sizeof *sorted);
    free(sorted);
}

static void touch(struct value *value, int op) {
    if (value->first < 0)
        value->first = op;
    value->last = op;
}

void program_seal(struct program *program) {
    CHECK(!program->sealed);
    sort_by_section(program);
    for (int i = 0; i < program->n_values; i++)
        program->value[i].first = program->value[i].last = -1;
    for (int i = 0; i < program->n_ops; i++) {
        const struct op *op = &program->op[i];
        for (int k = 0; k < OP_MAX_IN; k++)
            if (op->in[k] != NO_VALUE)
                touch(&program->value[op->in[k]], i);
        for (int k = 0; k < OP_MAX_OUT; k++)
            if (op->out[k] != NO_VALUE)
                touch(&program->value[op->out[k]], i);
    }
    for (int i = 0; i < program->n_values; i++) {
        const struct value *value = &program->value[i];
        if (value->kind >= VALUE_WEIGHT && value->net >= program->n_nets)
            program->n_nets = value->net + 1;
    }
    program->sealed = true;
}
