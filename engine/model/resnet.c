#include "engine/model/resnet.h"

#include <stdio.h>

enum { LAYER_NAME_BYTES = 40 };

static int conv3x3(struct builder *builder, const char *name, int x, int channels, int stride) {
    return build_conv(builder, x, &(struct conv_layer){name, channels, 3, stride, 1, 1});
}

/* Identity, or 1x1 conv with batch norm where the shape changes. */
static int shortcut(struct builder *builder, const char *block, int x, int channels, int stride) {
    if (stride == 1 && builder->program->value[x].shape.c == channels)
        return x;
    char name[LAYER_NAME_BYTES];
    snprintf(name, sizeof name, "%s.downsample.0", block);
    int y = build_conv(builder, x, &(struct conv_layer){name, channels, 1, stride, 0, 1});
    snprintf(name, sizeof name, "%s.downsample.1", block);
    return build_bn_act(builder, name, y, NO_VALUE, false);
}

static int basic_block(struct builder *builder, const char *block, int x, int channels,
                       int stride) {
    char name[LAYER_NAME_BYTES];
    snprintf(name, sizeof name, "%s.conv1", block);
    int y = conv3x3(builder, name, x, channels, stride);
    snprintf(name, sizeof name, "%s.bn1", block);
    y = build_bn_act(builder, name, y, NO_VALUE, true);
    int residual = shortcut(builder, block, x, channels, stride);
    snprintf(name, sizeof name, "%s.conv2", block);
    y = conv3x3(builder, name, y, channels, 1);
    snprintf(name, sizeof name, "%s.bn2", block);
    return build_bn_act(builder, name, y, residual, true);
}

int resnet_build(const struct architecture *architecture, struct builder *builder, int x,
                 int classes) {
    int blocks = (architecture->depth - 2) / 6, width = 16 * architecture->width;
    /* the stem of the x4 networks is 32, not 64: so their first block has a 1x1 shortcut too */
    int stem = architecture->width == 4 ? 32 : 16;
    int y = conv3x3(builder, "conv1", x, stem, 1);
    y = build_bn_act(builder, "bn1", y, NO_VALUE, true);
    for (int group = 0; group < 3; group++) {
        for (int i = 0; i < blocks; i++) {
            char block[LAYER_NAME_BYTES / 2];
            snprintf(block, sizeof block, "layer%d.%d", group + 1, i);
            y = basic_block(builder, block, y, width << group, group && !i ? 2 : 1);
        }
    }
    y = build_global_pool(builder, y);
    return build_linear(builder, "fc", y, classes);
}
