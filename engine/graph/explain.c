#include "engine/graph/explain.h"

#include "engine/graph/ops.h"

#include <stdio.h>

static const char *const section_names[SECTION_COUNT] = {"prologue", "forward", "backward",
                                                         "update"};

/* 64x32x32x16 for pictures and weights, 16 for vectors. */
static void add_shape(const struct value *value, struct str *out) {
    struct shape s = value->shape;
    if (s.n == 1 && s.h == 1 && s.w == 1)
        str_addf(out, "%d", s.c);
    else if (s.h == 1 && s.w == 1)
        str_addf(out, "%dx%d", s.n, s.c);
    else
        str_addf(out, "%dx%dx%dx%d", s.n, s.h, s.w, s.c);
    if (value->dtype != DTYPE_F32)
        str_addf(out, ":%s", dtype_name(value->dtype));
}

static void add_values(const struct program *program, const int *index, int count,
                       struct str *out) {
    const char *separator = "";
    for (int i = 0; i < count; i++) {
        if (index[i] == NO_VALUE)
            continue;
        const struct value *value = &program->value[index[i]];
        str_addf(out, "%s%%%d ", separator, index[i]);
        add_shape(value, out);
        separator = ", ";
    }
}

static const char *const act_text[] = {
    [ACT_NONE] = "", [ACT_RELU] = " relu", [ACT_RELU6] = " relu6"};

static void add_attributes(const struct op *op, struct str *out) {
    const union op_attr *attr = &op->attr;
    switch (op->code) {
    case OP_CONV:
    case OP_CONV_DX:
    case OP_CONV_DW:
        str_addf(out, " stride=%d pad=%d", attr->conv.stride, attr->conv.pad);
        if (attr->conv.groups != 1)
            str_addf(out, " groups=%d", attr->conv.groups);
        str_add(out, act_text[attr->conv.act]);
        break;
    case OP_BN_ACT:
    case OP_BN_ACT_BWD:
    case OP_SCALE_ACT:
        str_add(out, act_text[attr->norm.act]);
        break;
    case OP_POOL:
    case OP_POOL_BWD:
        str_addf(out, " %s kernel=%d stride=%d pad=%d", attr->pool.average ? "mean" : "max",
                 attr->pool.kernel, attr->pool.stride, attr->pool.pad);
        break;
    case OP_ATTENTION:
    case OP_ATTENTION_BWD:
        str_addf(out, " heads=%d", attr->attention.heads);
        break;
    case OP_TOKEN_LINEAR:
        str_add(out, attr->gelu ? " gelu" : "");
        break;
    case OP_RESIDUAL:
    case OP_RESIDUAL_BWD:
        if (attr->residual.drop > 0)
            str_addf(out, " drop=%g", (double)attr->residual.drop);
        break;
    case OP_CHANNEL_SHUFFLE:
        str_addf(out, " groups=%d", attr->channel.groups);
        break;
    case OP_AUGMENT:
        str_addf(out, " padding=%d flip=%d", attr->augment.padding, attr->augment.flip);
        break;
    case OP_DISTILL_LOSS:
        str_addf(out, " gamma=%g tau=%g scale=%g%s", (double)attr->loss.terms.gamma,
                 (double)attr->loss.terms.tau, (double)attr->loss.terms.scale,
                 attr->loss.terms.power_weight ? " power_weight" : "");
        break;
    case OP_SGD:
        str_addf(out, " momentum=%g decay=%g%s", (double)attr->sgd.momentum,
                 (double)attr->sgd.weight_decay, attr->sgd.nesterov ? " nesterov" : "");
        break;
    case OP_ADAMW:
        str_addf(out, " beta1=%g beta2=%g epsilon=%g decay=%g", attr->adamw.beta1,
                 attr->adamw.beta2, attr->adamw.epsilon, attr->adamw.weight_decay);
        break;
    case OP_CLIP_NORM:
        str_addf(out, " max_norm=%g", attr->clip.max_norm);
        break;
    default:
        break;
    }
}

static void add_op(const struct program *program, int index, struct str *out) {
    const struct op *op = &program->op[index];
    str_addf(out, "%4d %-15s ", index, op_table[op->code].name);
    add_values(program, op->in, OP_MAX_IN, out);
    str_add(out, " -> ");
    add_values(program, op->out, OP_MAX_OUT, out);
    add_attributes(op, out);
    str_addf(out, "  [%.3f MFLOP, %.1f KiB", op_flops(program, op) / 1e6,
             op_bytes(program, op) / 1024);
    if (op->out[0] != NO_VALUE) {
        const struct value *value = &program->value[op->out[0]];
        str_addf(out, ", %s %s", value_kind_name(value->kind), value->name);
        if (value->kind == VALUE_ACTIVATION)
            str_addf(out, ", until %d", value->last);
    }
    str_add(out, "]\n");
}

static void add_totals(const struct program *program, struct str *out) {
    for (int section = 0; section < SECTION_COUNT; section++) {
        int count = 0;
        double flops = 0, bytes = 0;
        for (int i = 0; i < program->n_ops; i++) {
            if ((int)program->op[i].section != section)
                continue;
            count++;
            flops += op_flops(program, &program->op[i]);
            bytes += op_bytes(program, &program->op[i]);
        }
        str_addf(out, "total %-9s %4d ops %12.3f MFLOP %12.1f KiB\n", section_names[section], count,
                 flops / 1e6, bytes / 1024);
    }
}

void explain_program(const struct program *program, struct str *out) {
    int section = -1;
    for (int i = 0; i < program->n_ops; i++) {
        if ((int)program->op[i].section != section) {
            section = (int)program->op[i].section;
            str_addf(out, "%s\n", section_names[section]);
        }
        add_op(program, i, out);
    }
    add_totals(program, out);
}
