#include "engine/graph/optimizer.h"

#include <stdio.h>

static union op_attr sgd_attr(const struct train_spec *spec, double weight_decay) {
    return (union op_attr){.sgd = {.momentum = (float)spec->momentum,
                                   .weight_decay = (float)weight_decay,
                                   .nesterov = spec->nesterov}};
}

static union op_attr adamw_attr(const struct train_spec *spec, double weight_decay) {
    return (union op_attr){.adamw = {.beta1 = spec->beta1,
                                     .beta2 = spec->beta2,
                                     .epsilon = spec->epsilon,
                                     .weight_decay = weight_decay}};
}

const struct optimizer_info optimizer_table[OPTIMIZER_COUNT] = {
    [OPTIMIZER_SGD] = {OP_SGD, 1, sgd_attr},
    [OPTIMIZER_ADAMW] = {OP_ADAMW, 2, adamw_attr},
};

/* A range of one of the network's arenas as a value. */
static int add_range(struct builder *builder, enum value_kind kind, size_t begin, size_t end) {
    struct value value = {
        .shape = {1, 1, 1, (int)(end - begin)}, .kind = kind, .net = builder->net, .offset = begin};
    snprintf(value.name, sizeof value.name, "%ss.%d", value_kind_name(kind), builder->net);
    return program_add_value(builder->program, &value);
}

/* The factor for all gradients. The gaps between parameters are zero and do not count. */
static int add_clip(struct builder *builder, const struct train_spec *spec) {
    if (spec->clip_norm == 0)
        return NO_VALUE;
    struct op op = op_new(OP_CLIP_NORM, SECTION_UPDATE);
    op.in[0] = add_range(builder, VALUE_GRADIENT, 0, builder->table->weight_floats);
    op.attr.clip.max_norm = spec->clip_norm;
    return program_emit(builder->program, &op, 0).out[0];
}

void build_optimizer(struct builder *builder, const struct train_spec *spec) {
    static const enum value_kind slots[OPTIMIZER_MAX_SLOTS] = {VALUE_MOMENTUM, VALUE_SECOND_MOMENT};
    const struct optimizer_info *optimizer = &optimizer_table[spec->optimizer];
    const struct param_table *table = builder->table;
    size_t begin[] = {0, table->decayed_floats, table->weight_floats};
    int factor = add_clip(builder, spec), n_slots = optimizer->slots;
    CHECK(n_slots <= OPTIMIZER_MAX_SLOTS);
    for (int i = 0; i < 2; i++) {
        if (begin[i + 1] == begin[i])
            continue;
        struct op op = op_new(optimizer->code, SECTION_UPDATE);
        op.in[0] = add_range(builder, VALUE_GRADIENT, begin[i], begin[i + 1]);
        op.in[1] = factor;
        op.out[0] = add_range(builder, VALUE_WEIGHT, begin[i], begin[i + 1]);
        for (int k = 0; k < n_slots; k++)
            op.out[1 + k] = add_range(builder, slots[k], begin[i], begin[i + 1]);
        op.attr = optimizer->attr(spec, i ? 0 : spec->weight_decay);
        program_add_op(builder->program, &op, 0);
    }
}
