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
    return value < gradient->n_before && gradient->wanted[value];
}

static int add_values(struct program *program, int a, int b) {
    struct op op = op_new(OP_ADD, SECTION_BACKWARD);
    op.in[0] = a;
    op.in[1] = b;
    return program_emit(program, &op, 0).out[0];
}

void gradient_give(struct gradient *gradient, int value, int grad) {
    if (value >= gradient->n_before)
        return;
    struct pending *pending = &gradient->pending[value];
    CHECK(pending->count < PENDING_MAX);
    pending->grad[pending->count++] = grad;
}

void gradient_take_pair(struct gradient *gradient, int value, int pair[2]) {
    struct pending *pending = &gradient->pending[value];
    while (pending->count > 2) {
        int last = pending->grad[--pending->count];
        int *before = &pending->grad[pending->count - 1];
        *before = add_values(gradient->program, *before, last);
    }
    pair[0] = pending->count > 0 ? pending->grad[0] : NO_VALUE;
    pair[1] = pending->count > 1 ? pending->grad[1] : NO_VALUE;
}

int gradient_take(struct gradient *gradient, int value) {
    int pair[2];
    gradient_take_pair(gradient, value, pair);
    return pair[1] == NO_VALUE ? pair[0] : add_values(gradient->program, pair[0], pair[1]);
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
    struct value value = gradient->program->value[weight];
    CHECK(value.kind == VALUE_WEIGHT);
    value.kind = VALUE_GRADIENT;
    char name[sizeof value.name];
    snprintf(name, sizeof name, "d.%.50s", value.name);
    memcpy(value.name, name, sizeof name);
    return program_add_value(gradient->program, &value);
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
    for (int i = program->n_ops - 1; i >= first_op; i--)
        if (program->op[i].section == SECTION_FORWARD && op_table[program->op[i].code].grad)
            op_table[program->op[i].code].grad(&gradient, i);
    free(gradient.pending);
    free(gradient.wanted);
}
