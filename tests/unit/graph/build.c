/* build.h: layers, their parameters, and folding. */
#include "tests/unit/graph/net_fixture.h"

#include "engine/graph/ops.h"

static void parameters_have_pytorch_names_and_order(void) {
    static const char *const names[] = {"conv1.weight",     "bn1.weight",      "bn1.bias",
                                        "bn1.running_mean", "bn1.running_var", "conv2.weight",
                                        "bn2.weight",       "bn2.bias",        "bn2.running_mean",
                                        "bn2.running_var",  "fc.weight",       "fc.bias"};
    enum { NAMES = sizeof names / sizeof names[0] };
    struct net net;
    net_forward(&net, BUILD_TRAIN, DTYPE_F32);
    T_INT(net.table.count, NAMES);
    for (int i = 0; i < NAMES && i < net.table.count; i++)
        T_STR(net.table.param[i].name, names[i]);
    T_INT(param_table_learnable(&net.table), 3 * 3 * 3 * 8 + 3 * 3 * 8 * 8 + 4 * 8 + 10 * 9);
    net_release(&net);
}

static void training_keeps_norms_and_updates_statistics(void) {
    struct net net;
    net_forward(&net, BUILD_TRAIN, DTYPE_F32);
    T_INT(net_count(&net, OP_CONV), 2);
    T_INT(net_count(&net, OP_BN_ACT), 2);
    T_INT(net_count(&net, OP_FOLD_BN), 0);
    T_INT(net_count(&net, OP_BN_UPDATE), 2);
    const struct op *bn = net_op(&net, OP_BN_ACT, 1), *update = net_op(&net, OP_BN_UPDATE, 1);
    T_CHECK(bn->attr.norm.act == ACT_RELU);
    T_INT(bn->in[3], net_op(&net, OP_BN_ACT, 0)->out[0]);
    T_INT(update->in[0], bn->out[1]);
    T_INT(update->in[1], bn->out[2]);
    T_INT(update->attr.norm.count, 4 * 6 * 6);
    T_INT(update->section, SECTION_UPDATE);
    T_STR(net.program.value[update->out[0]].name, "bn2.running_mean");
    T_STR(net.program.value[update->out[1]].name, "bn2.running_var");
    net_release(&net);
}

static void inference_folds_norms_into_convs(void) {
    struct net net;
    net_forward(&net, BUILD_INFER, DTYPE_F32);
    T_INT(net_count(&net, OP_BN_ACT), 0);
    T_INT(net_count(&net, OP_BN_UPDATE), 0);
    T_INT(net_count(&net, OP_FOLD_BN), 2);
    T_INT(net_count(&net, OP_CONV), 2);
    const struct op *fold = net_op(&net, OP_FOLD_BN, 1), *conv = net_op(&net, OP_CONV, 1);
    T_INT(fold->section, SECTION_PROLOGUE);
    T_INT(conv->in[1], fold->out[0]);
    T_INT(conv->in[2], fold->out[1]);
    T_INT(conv->in[3], net_op(&net, OP_CONV, 0)->out[0]);
    T_CHECK(conv->attr.conv.act == ACT_RELU);
    const struct value *weight = &net.program.value[fold->out[0]];
    T_INT(weight->kind, VALUE_DERIVED);
    T_STR(weight->name, "conv2.weight.folded_weight");
    T_CHECK(shape_equal(weight->shape, (struct shape){8, 3, 3, 8}));
    net_release(&net);
}

static void logits_are_f32_in_every_precision(void) {
    for (enum build_mode mode = BUILD_TRAIN; mode <= BUILD_INFER; mode++) {
        struct net net;
        net_forward(&net, mode, DTYPE_BF16);
        const struct value *logits = &net.program.value[net.logits];
        T_INT(logits->dtype, DTYPE_F32);
        T_CHECK(shape_equal(logits->shape, (struct shape){4, 1, 1, 10}));
        T_INT(net.program.value[net_op(&net, OP_CONV, 1)->out[0]].dtype, DTYPE_BF16);
        net_release(&net);
    }
}

static void sgd_covers_the_arena_in_two_ranges(void) {
    struct net net;
    net_step(&net, DTYPE_F32);
    T_INT(net_count(&net, OP_SGD), 2);
    size_t end = 0;
    for (int i = 0; i < 2; i++) {
        const struct op *sgd = net_op(&net, OP_SGD, i);
        const int place[] = {sgd->in[0], sgd->out[0], sgd->out[1]};
        const enum value_kind kind[] = {VALUE_GRADIENT, VALUE_WEIGHT, VALUE_MOMENTUM};
        for (int k = 0; k < 3; k++) {
            const struct value *range = &net.program.value[place[k]];
            T_INT(range->kind, kind[k]);
            T_INT(range->offset, end);
        }
        end += (size_t)shape_elements(net.program.value[sgd->in[0]].shape);
        T_NEAR(sgd->attr.sgd.weight_decay, i ? 0 : 5e-4, 1e-9);
        T_INT(i ? net.table.weight_floats : net.table.decayed_floats, end);
    }
    net_release(&net);
}

/* The factor of all gradients goes to both ranges. */
static void adamw_has_two_slots_behind_the_norm(void) {
    struct net net;
    net_step_with(&net, DTYPE_F32,
                  &(struct train_spec){.optimizer = OPTIMIZER_ADAMW,
                                       .weight_decay = 0.05,
                                       .beta1 = 0.9,
                                       .beta2 = 0.999,
                                       .clip_norm = 5});
    T_INT(net_count(&net, OP_SGD), 0);
    T_INT(net_count(&net, OP_ADAMW), 2);
    T_INT(net_count(&net, OP_CLIP_NORM), 1);
    const struct op *clip = net_op(&net, OP_CLIP_NORM, 0);
    const struct value *all = &net.program.value[clip->in[0]];
    T_INT(all->kind, VALUE_GRADIENT);
    T_INT(shape_elements(all->shape), net.table.weight_floats);
    for (int i = 0; i < 2; i++) {
        const struct op *adamw = net_op(&net, OP_ADAMW, i);
        T_INT(adamw->in[1], clip->out[0]);
        T_INT(net.program.value[adamw->out[1]].kind, VALUE_MOMENTUM);
        T_INT(net.program.value[adamw->out[2]].kind, VALUE_SECOND_MOMENT);
        T_NEAR(adamw->attr.adamw.weight_decay, i ? 0 : 0.05, 0);
    }
    net_release(&net);
}

int main(void) {
    T_RUN(parameters_have_pytorch_names_and_order);
    T_RUN(training_keeps_norms_and_updates_statistics);
    T_RUN(inference_folds_norms_into_convs);
    T_RUN(logits_are_f32_in_every_precision);
    T_RUN(sgd_covers_the_arena_in_two_ranges);
    T_RUN(adamw_has_two_slots_behind_the_norm);
    return t_done();
}
