#include "engine/model/wrn.h"

static int block(struct builder *builder, int x, int channels, int stride) {
    struct conv_layer first = {
        .name = "conv1", .channels = channels, .kernel = 3, .stride = stride, .pad = 1};
    struct conv_layer second = {
        .name = "conv2", .channels = channels, .kernel = 3, .stride = 1, .pad = 1};
    struct conv_layer side = {
        .name = "convShortcut", .channels = channels, .kernel = 1, .stride = stride};
    int active = build_pre_act(builder, "bn1", x), shortcut = x;
    int y = build_conv(builder, active, &first);
    y = build_bn_act(builder, "bn2", y, NO_VALUE, ACT_RELU);
    y = build_conv(builder, y, &second);
    if (build_channels(builder, x) != channels)
        shortcut = build_conv(builder, active, &side);
    return build_residual(builder, y, shortcut);
}

int wrn_build(const struct architecture *architecture, struct builder *builder, int x,
              int classes) {
    struct conv_layer stem = {.name = "conv1", .channels = 16, .kernel = 3, .stride = 1, .pad = 1};
    int blocks = (architecture->depth - 4) / 6, width = 16 * architecture->width;
    int y = build_conv(builder, x, &stem);
    for (int group = 0; group < 3; group++)
        for (int i = 0; i < blocks; i++) {
            build_enter(builder, "block%d.layer.%d.", group + 1, i);
            y = block(builder, y, width << group, group && !i ? 2 : 1);
        }
    build_leave(builder);
    y = build_pre_act(builder, "bn1", y);
    y = build_global_pool(builder, y);
    return build_linear_layer(
        builder, y, &(struct linear_layer){"fc", classes, INIT_UNIFORM_FAN_IN, INIT_ZERO});
}
