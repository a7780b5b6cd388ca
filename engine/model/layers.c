#include "engine/model/layers.h"

#include <stdio.h>

enum { LAYER_NAME_BYTES = 44 };

static const char *join(char name[LAYER_NAME_BYTES], const char *block, const char *suffix) {
    snprintf(name, LAYER_NAME_BYTES, "%s%s%s", block, block[0] ? "." : "", suffix);
    return name;
}

int block_conv_as(struct builder *builder, const char *block, const char *suffix, int x,
                  const struct conv_layer *layer, enum conv_style style) {
    char name[LAYER_NAME_BYTES];
    struct conv_layer named = *layer;
    named.name = join(name, block, suffix);
    return build_conv_as(builder, x, &named, style);
}

int block_conv(struct builder *builder, const char *block, const char *suffix, int x,
               const struct conv_layer *layer) {
    return block_conv_as(builder, block, suffix, x, layer, CONV_FAN_OUT);
}

int block_norm(struct builder *builder, const char *block, const char *suffix, int x,
               enum activation act) {
    char name[LAYER_NAME_BYTES];
    return build_bn_act(builder, join(name, block, suffix), x, NO_VALUE, act);
}

int block_norm_residual(struct builder *builder, const char *block, const char *suffix, int x,
                        int residual) {
    char name[LAYER_NAME_BYTES];
    return build_bn_act(builder, join(name, block, suffix), x, residual, ACT_RELU);
}

int block_norm_linear(struct builder *builder, const char *block, const char *suffix, int x,
                      int residual) {
    char name[LAYER_NAME_BYTES];
    return build_bn_act(builder, join(name, block, suffix), x, residual, ACT_NONE);
}

int block_pre_act(struct builder *builder, const char *block, const char *suffix, int x) {
    char name[LAYER_NAME_BYTES];
    return build_pre_act(builder, join(name, block, suffix), x);
}

int channels_of(const struct builder *builder, int x) {
    return builder->program->value[x].shape.c;
}
