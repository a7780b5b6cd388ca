/* program.h, grad.h, explain.h: values, ops, gradients and how they print. */
#include "tests/unit/graph/net_fixture.h"

#include "engine/base/mem.h"
#include "engine/graph/explain.h"
#include "engine/graph/ops.h"

/* Which op writes a value of memory that a program owns; state and weights have none. */
static void every_value_is_written_once_and_before_it_is_read(const struct program *program) {
    int *writer = xcalloc((size_t)program->n_values, sizeof *writer);
    for (int i = 0; i < program->n_ops; i++) {
        const struct op *op = &program->op[i];
        for (int k = 0; k < OP_MAX_IN; k++) {
            const struct value *in = op->in[k] < 0 ? NULL : &program->value[op->in[k]];
            bool made = in && (in->kind == VALUE_ACTIVATION || in->kind == VALUE_DERIVED);
            if (made && !writer[op->in[k]])
                T_FAIL("op %d (%s) reads %s, which nobody wrote", i, op_table[op->code].name,
                       in->name);
        }
        for (int k = 0; k < OP_MAX_OUT; k++) {
            if (op->out[k] < 0)
                continue;
            if (writer[op->out[k]])
                T_FAIL("%s is written twice", program->value[op->out[k]].name);
            writer[op->out[k]] = 1;
        }
    }
    free(writer);
}

static void a_step_is_in_order(void) {
    struct net net;
    net_step(&net, DTYPE_F32);
    program_seal(&net.program);
    every_value_is_written_once_and_before_it_is_read(&net.program);
    for (int i = 1; i < net.program.n_ops; i++)
        T_CHECK(net.program.op[i - 1].section <= net.program.op[i].section);
    net_release(&net);
    net_forward(&net, BUILD_INFER, DTYPE_F32);
    program_seal(&net.program);
    every_value_is_written_once_and_before_it_is_read(&net.program);
    net_release(&net);
}

static void lifetimes_span_all_uses(void) {
    struct net net;
    net_step(&net, DTYPE_F32);
    program_seal(&net.program);
    const struct program *program = &net.program;
    for (int i = 0; i < program->n_ops; i++)
        for (int k = 0; k < OP_MAX_IN + OP_MAX_OUT; k++) {
            const struct op *op = &program->op[i];
            int index = k < OP_MAX_IN ? op->in[k] : op->out[k - OP_MAX_IN];
            if (index >= 0)
                T_CHECK(program->value[index].first <= i && i <= program->value[index].last);
        }
    T_INT(program->value[net.label].first, program->value[net.label].last);
    net_release(&net);
}

/* Every weight gets its gradient, at its own place and once; the pictures get none. */
static void each_weight_has_one_gradient(void) {
    struct net net;
    net_step(&net, DTYPE_F32);
    const struct program *program = &net.program;
    for (int p = 0; p < net.table.count; p++) {
        const struct param *param = &net.table.param[p];
        int writes = 0;
        for (int i = 0; i < program->n_ops; i++)
            for (int k = 0; k < OP_MAX_OUT && program->op[i].section == SECTION_BACKWARD; k++) {
                int out = program->op[i].out[k];
                const struct value *value = out < 0 ? NULL : &program->value[out];
                writes += value && value->kind == VALUE_GRADIENT &&
                          value->offset == param->offset && shape_equal(value->shape, param->shape);
            }
        if (writes != !param->state)
            T_FAIL("%s has %d gradients", param->name, writes);
    }
    T_INT(net_count(&net, OP_CONV_DW), 2);
    T_INT(net_count(&net, OP_CONV_DX), 1); /* conv1's input is data */
    net_release(&net);
}

/* bn1's output feeds conv2 and the shortcut: its gradient is a pair, added by the kernel. */
static void two_uses_are_added_by_the_norm(void) {
    struct net net;
    net_step(&net, DTYPE_F32);
    T_INT(net_count(&net, OP_ADD), 0);
    const struct op *second = net_op(&net, OP_BN_ACT_BWD, 0),
                    *first = net_op(&net, OP_BN_ACT_BWD, 1);
    T_INT(second->in[1], NO_VALUE);
    T_CHECK(second->out[3] != NO_VALUE);
    int from_conv = net_op(&net, OP_CONV_DX, 0)->out[0], from_shortcut = second->out[3];
    T_CHECK((first->in[0] == from_conv && first->in[1] == from_shortcut) ||
            (first->in[0] == from_shortcut && first->in[1] == from_conv));
    T_INT(first->out[3], NO_VALUE);
    net_release(&net);
}

/* Four heads on one value: two of the gradients are added beforehand, the rest as a pair. */
static void many_uses_are_added(void) {
    struct param_table table = {0};
    struct program program;
    program_init(&program);
    struct builder builder = {
        .program = &program, .table = &table, .mode = BUILD_COLLECT, .net = 0, .dtype = DTYPE_F32};
    int x = build_input(&builder, "x", (struct shape){2, 1, 1, 4}, DTYPE_F32);
    int trunk = build_linear(&builder, "trunk", x, 3), sum = NO_VALUE;
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "head%d", i);
        int head = build_linear(&builder, name, trunk, 5);
        struct op add = op_new(OP_ADD, SECTION_FORWARD);
        add.in[0] = head;
        add.in[1] = sum;
        sum = sum < 0 ? head : program.op[program_add_op(&program, &add, 0)].out[0];
    }
    int label = build_input(&builder, "label", (struct shape){2, 1, 1, 1}, DTYPE_I32);
    struct op loss = op_new(OP_DISTILL_LOSS, SECTION_FORWARD);
    loss.in[0] = sum;
    loss.in[2] = label;
    program_add_op(&program, &loss, 0);
    int before = program.n_ops, adds = 0, weights = 0;
    program_add_gradient(&program, 0);
    for (int i = before; i < program.n_ops; i++) {
        adds += program.op[i].code == OP_ADD;
        weights += program.op[i].code == OP_LINEAR_DW;
    }
    T_INT(adds, 3);
    T_INT(weights, 5);
    program_seal(&program);
    every_value_is_written_once_and_before_it_is_read(&program);
    program_free(&program);
    param_table_release(&table);
}

/* What stands in front of the sweep, as a teacher does, gets no gradient. */
static void the_sweep_stops_at_its_first_op(void) {
    struct net net;
    net_forward(&net, BUILD_TRAIN, DTYPE_F32);
    int first = net.program.n_ops - 1; /* the classifier */
    T_INT(net.program.op[first].code, OP_LINEAR);
    struct op op = op_new(OP_DISTILL_LOSS, SECTION_FORWARD);
    op.in[0] = net.logits;
    op.in[2] = build_input(&net.builder, "label", (struct shape){4, 1, 1, 1}, DTYPE_I32);
    program_add_op(&net.program, &op, 0);
    program_add_gradient(&net.program, first);
    T_INT(net_count(&net, OP_LINEAR_DW), 1);
    T_INT(net_count(&net, OP_CONV_DW), 0);
    T_INT(net_count(&net, OP_BN_ACT_BWD), 0);
    net_release(&net);
}

static void the_table_is_complete(void) {
    for (int code = 0; code < OP_COUNT; code++) {
        const struct op_info *row = &op_table[code];
        T_CHECK(row->name && op_input_count((enum opcode)code) <= OP_MAX_IN);
        T_CHECK(op_output_count((enum opcode)code) >= 1);
        T_CHECK(op_output_count((enum opcode)code) <= OP_MAX_OUT);
        for (int k = 0; k < OP_MAX_OUT; k++)
            T_CHECK(row->inplace[k] <= op_input_count((enum opcode)code));
    }
}

static void costs_are_those_of_the_formula(void) {
    struct net net;
    net_step(&net, DTYPE_F32);
    const double macs = 4 * 6 * 6 * 8 * 3 * 3 * 8;
    T_NEAR(op_flops(&net.program, net_op(&net, OP_CONV, 1)), 2 * macs, 0.5);
    T_NEAR(op_flops(&net.program, net_op(&net, OP_CONV_DX, 0)), 2 * macs, 0.5);
    T_NEAR(op_flops(&net.program, net_op(&net, OP_CONV_DW, 0)), 2 * macs, 0.5);
    T_NEAR(op_flops(&net.program, net_op(&net, OP_LINEAR, 0)), 2 * 4 * 8 * 10, 0.5);
    T_NEAR(op_bytes(&net.program, net_op(&net, OP_LINEAR, 0)), 4 * (4 * 8 + 8 * 10 + 10 + 40), 0.5);
    net_release(&net);
}

static char *explained(enum dtype dtype) {
    struct net net;
    struct str text = STR_INIT;
    net_step(&net, dtype);
    program_seal(&net.program);
    explain_program(&net.program, &text);
    net_release(&net);
    return str_take(&text);
}

static void explain_says_the_same_every_time(void) {
    char *first = explained(DTYPE_F32), *again = explained(DTYPE_F32),
         *half = explained(DTYPE_BF16);
    T_STR(again, first);
    T_CHECK(strcmp(half, first) != 0);
    T_CONTAINS(first, "conv2.weight");
    T_CONTAINS(first, "total backward");
    T_CONTAINS(first, " sgd ");
    T_CONTAINS(half, "4x6x6x8:bf16");
    free(first);
    free(again);
    free(half);
}

int main(void) {
    T_RUN(a_step_is_in_order);
    T_RUN(lifetimes_span_all_uses);
    T_RUN(each_weight_has_one_gradient);
    T_RUN(two_uses_are_added_by_the_norm);
    T_RUN(many_uses_are_added);
    T_RUN(the_sweep_stops_at_its_first_op);
    T_RUN(the_table_is_complete);
    T_RUN(costs_are_those_of_the_formula);
    T_RUN(explain_says_the_same_every_time);
    return t_done();
}
