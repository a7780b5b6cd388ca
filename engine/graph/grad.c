#include "engine/graph/grad.h"

#include "engine/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PENDING_MAX = 4 }; /* uses of one value whose gradients may wait to be added */

struct pending {
    int count, grad[PENDING_MAX];
};

struct gradient {
    struct program *program;
    struct pending *pending; /* [n_before]: of the values that were there before the sweep */
    bool *wanted;            /* [n_before]: a weight of the networks in the sweep precedes it */
    int n_before;
};

struct program *gradient_program(struct gradient *gradient) {
    return gradient->program;
}

bool gradient_wanted(const struct gradient *gradient, int value) {
    return value != NO_VALUE && value < gradient->n_before && gradient->wanted[value];
}

static int add_values(struct program *program, int a, int b) {
    struct op op = op_new(OP_ADD, SECTION_BACKWARD);
    op.in[0] = a;
    op.in[1] = b;
    return program_emit(program, &op, 0).out[0];
}

void gradient_give(struct gradient *gradient, int value, int grad) {
    if (grad == NO_VALUE || !gradient_wanted(gradient, value))
        return;
    struct pending *pending = &gradient->pending[value];
    CHECK(pending->count < PENDING_MAX);
    pending->grad[pending->count++] = grad;
}

/* Adds the last ones until at most so many are left, which it returns. */
static const struct pending *add_pending(struct gradient *gradient, int value, int most) {
    struct pending *pending = &gradient->pending[value];
    while (pending->count > most) {
        int last = pending->grad[--pending->count];
        int *before = &pending->grad[pending->count - 1];
        *before = add_values(gradient->program, *before, last);
    }
    return pending;
}

void gradient_take_pair(struct gradient *gradient, int value, int pair[2]) {
    const struct pending *pending = add_pending(gradient, value, 2);
    for (int i = 0; i < 2; i++)
        pair[i] = i < pending->count ? pending->grad[i] : NO_VALUE;
}

int gradient_take(struct gradient *gradient, int value) {
    const struct pending *pending = add_pending(gradient, value, 1);
    return pending->count ? pending->grad[0] : NO_VALUE;
}

int gradient_withdraw(struct gradient *gradient, int value) {
    int sum = gradient_take(gradient, value);
    gradient->pending[value].count = 0;
    return sum;
}

int gradient_like(struct gradient *gradient, int value) {
    const struct value *of = &gradient->program->value[value];
    struct value added = {.shape = of->shape, .dtype = of->dtype, .kind = VALUE_ACTIVATION};
    snprintf(added.name, sizeof added.name, "d.%.50s", of->name);
    return program_add_value(gradient->program, &added);
}

int gradient_of_weight(struct gradient *gradient, int weight) {
    if (weight == NO_VALUE)
        return NO_VALUE;
    struct value value = gradient->program->value[weight];
    CHECK(value.kind == VALUE_WEIGHT);
    value.kind = VALUE_GRADIENT;
    char name[sizeof value.name];
    snprintf(name, sizeof name, "d.%.50s", value.name);
    memcpy(value.name, name, sizeof name);
    return program_add_value(gradient->program, &value);
}

struct op gradient_begin(struct gradient *gradient, const struct op *of, enum opcode code) {
    struct op op = op_new(code, SECTION_BACKWARD);
    op.in[0] = gradient_take(gradient, of->out[0]);
    op.attr = of->attr;
    return op;
}

void gradient_finish(struct gradient *gradient, const struct op *op, int value) {
    struct program *program = gradient->program;
    struct op added = *op;
    if (op->in[0] == NO_VALUE || !gradient_wanted(gradient, value))
        return;
    if (!op_table[op->code].infer)
        added.out[0] = gradient_like(gradient, value);
    added = program_emit(program, &added, 0);
    program->value[added.out[0]].dtype = program->value[value].dtype;
    gradient_give(gradient, value, added.out[0]);
}

void gradient_of_product(struct gradient *gradient, const struct op *op, enum opcode dx_code,
                         enum opcode dw_code) {
    struct op dx = gradient_begin(gradient, op, dx_code), dw = dx;
    if (dx.in[0] == NO_VALUE)
        return;
    dw.code = dw_code;
    dw.in[1] = op->in[0];
    dw.out[0] = gradient_of_weight(gradient, op->in[1]);
    dw.out[1] = gradient_of_weight(gradient, op->in[2]);
    program_add_op(gradient->program, &dw, dw.out[1] == NO_VALUE ? 1u << 1 : 0);
    dx.in[1] = op->in[1];
    gradient_finish(gradient, &dx, op->in[0]);
}

/* A value is wanted when it is a weight, or computed in the sweep from one that is. */
static void mark_wanted(struct gradient *gradient, int first_op) {
    const struct program *program = gradient->program;
    for (int i = 0; i < gradient->n_before; i++)
        gradient->wanted[i] = program->value[i].kind == VALUE_WEIGHT;
    for (int i = first_op; i < program->n_ops; i++) {
        const struct op *op = &program->op[i];
        bool wanted = false;
        for (int k = 0; k < OP_MAX_IN; k++)
            wanted |= op->in[k] != NO_VALUE && gradient->wanted[op->in[k]];
        for (int k = 0; k < OP_MAX_OUT; k++)
            if (op->out[k] != NO_VALUE)
                gradient->wanted[op->out[k]] |= wanted;
    }
}

void program_add_gradient(struct program *program, int first_op) {
    struct gradient gradient = {.program = program, .n_before = program->n_values};
    gradient.pending = xcalloc((size_t)gradient.n_before, sizeof *gradient.pending);
    gradient.wanted = xcalloc((size_t)gradient.n_before, sizeof *gradient.wanted);
    mark_wanted(&gradient, first_op);
    for (int i = program->n_ops - 1; i >= first_op; i--) {
        const struct op op = program->op[i]; /* the array moves when a rule appends */
        if (op.section == SECTION_FORWARD && op_table[op.code].grad)
            op_table[op.code].grad(&gradient, &op);
    }
    free(gradient.pending);
    free(gradient.wanted);
}
