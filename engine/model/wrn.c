#include "engine/model/wrn.h"

#include "engine/model/layers.h"

#include <stdio.h>

static int block(struct builder *builder, const char *name, int x, int channels, int stride) {
    struct conv_layer first = {.channels = channels, .kernel = 3, .stride = stride, .pad = 1};
    struct conv_layer second = {.channels = channels, .kernel = 3, .stride = 1, .pad = 1};
    struct conv_layer side = {.channels = channels, .kernel = 1, .stride = stride};
    int active = block_pre_act(builder, name, "bn1", x), shortcut = x;
    int y = block_conv(builder, name, "conv1", active, &first);
    y = block_norm(builder, name, "bn2", y, ACT_RELU);
    y = block_conv(builder, name, "conv2", y, &second);
    if (channels_of(builder, x) != channels)
        shortcut = block_conv(builder, name, "convShortcut", active, &side);
    return build_residual(builder, y, shortcut);
}

int wrn_build(const struct architecture *architecture, struct builder *builder, int x,
              int classes) {
    struct conv_layer stem = {.channels = 16, .kernel = 3, .stride = 1, .pad = 1};
    int blocks = (architecture->depth - 4) / 6, width = 16 * architecture->width;
    int y = block_conv(builder, "", "conv1", x, &stem);
    for (int group = 0; group < 3; group++) {
        for (int i = 0; i < blocks; i++) {
            char name[BLOCK_NAME_BYTES];
            snprintf(name, sizeof name, "block%d.layer.%d", group + 1, i);
            y = block(builder, name, y, width << group, group && !i ? 2 : 1);
        }
    }
    y = block_pre_act(builder, "", "bn1", y);
    y = build_global_pool(builder, y);
    return build_linear_layer(
        builder, y, &(struct linear_layer){"fc", classes, INIT_UNIFORM_FAN_IN, INIT_ZERO});
}
