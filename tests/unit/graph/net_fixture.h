/*
 * net_fixture.h - a network of two convs with a shortcut, built without the model zoo.
 *
 * conv1 - bn1 - relu - conv2 - bn2 - (+ bn1's output) - relu - pool - fc: everything the builder
 * has, and a value with two uses.
 */
#ifndef TESTS_UNIT_GRAPH_NET_FIXTURE_H
#define TESTS_UNIT_GRAPH_NET_FIXTURE_H

#include "engine/graph/build.h"
#include "engine/graph/grad.h"
#include "engine/graph/optimizer.h"
#include "tests/support/t.h"

struct net {
    struct program program;
    struct param_table table;
    struct builder builder;
    int x, label, logits, rows, loss;
};

static inline int net_append(struct builder *builder, int x) {
    int y = build_conv(builder, x, &(struct conv_layer){"conv1", 8, 3, 1, 1, 1});
    int first = build_bn_act(builder, "bn1", y, NO_VALUE, ACT_RELU);
    y = build_conv(builder, first, &(struct conv_layer){"conv2", 8, 3, 1, 1, 1});
    y = build_bn_act(builder, "bn2", y, first, ACT_RELU);
    return build_linear(builder, "fc", build_global_pool(builder, y), 10);
}

/* The logits only; decay_all false, so that there are two ranges of weights. */
static inline void net_forward(struct net *net, enum build_mode mode, enum dtype dtype) {
    struct program scratch;
    *net = (struct net){0};
    program_init(&scratch);
    struct shape shape = {4, 6, 6, 3};
    struct builder collect = {.program = &scratch,
                              .table = &net->table,
                              .mode = BUILD_COLLECT,
                              .net = 0,
                              .dtype = DTYPE_F32};
    net_append(&collect, build_input(&collect, "x", shape, DTYPE_F32));
    program_free(&scratch);
    param_table_layout(&net->table, false);
    program_init(&net->program);
    net->builder = (struct builder){
        .program = &net->program, .table = &net->table, .mode = mode, .net = 0, .dtype = dtype};
    net->x = build_input(&net->builder, "x", shape, DTYPE_F32);
    net->logits = net_append(&net->builder, net->x);
}

/* A training step: loss, gradient, the optimiser of this spec. Not sealed. */
static inline void net_step_with(struct net *net, enum dtype dtype, const struct train_spec *spec) {
    net_forward(net, BUILD_TRAIN, dtype);
    net->label = build_input(&net->builder, "label", (struct shape){4, 1, 1, 1}, DTYPE_I32);
    struct op op = op_new(OP_DISTILL_LOSS, SECTION_FORWARD);
    op.in[0] = net->logits;
    op.in[2] = net->label;
    op.attr.loss.terms = loss_terms_of(METHOD_CE, 1, 0, 1, 0);
    net->loss = program_add_op(&net->program, &op, 0);
    program_add_gradient(&net->program, 0);
    build_optimizer(&net->builder, spec);
}

static inline void net_step(struct net *net, enum dtype dtype) {
    net_step_with(net, dtype, &(struct train_spec){.momentum = 0.9, .weight_decay = 5e-4});
}

static inline void net_release(struct net *net) {
    program_free(&net->program);
    param_table_release(&net->table);
}

static inline int net_count(const struct net *net, enum opcode code) {
    int count = 0;
    for (int i = 0; i < net->program.n_ops; i++)
        count += net->program.op[i].code == code;
    return count;
}

/* The i-th op of that code. */
static inline const struct op *net_op(const struct net *net, enum opcode code, int i) {
    for (int k = 0; k < net->program.n_ops; k++)
        if (net->program.op[k].code == code && i-- == 0)
            return &net->program.op[k];
    T_FAIL("there is no such op");
    exit(1);
}

#endif
