#include "engine/model/mobilenet.h"

#include "engine/model/layers.h"

#include <stdio.h>

/* Inverted residuals: factor of the channels inside, channels, blocks, stride of the first. */
static const struct stage {
    int expansion, channels, blocks, stride;
} stages[] = {
    {1, 8, 1, 1},  {6, 12, 2, 1}, {6, 16, 3, 2},  {6, 32, 4, 2},
    {6, 48, 3, 1}, {6, 80, 3, 2}, {6, 160, 1, 1},
};

/* The first conv is there even where it expands nothing. */
static int inverted_residual(struct builder *builder, const char *block, int x,
                             const struct stage *stage, int stride) {
    int inputs = channels_of(builder, x), inside = inputs * stage->expansion;
    struct conv_layer expand = {.channels = inside, .kernel = 1, .stride = 1};
    struct conv_layer depthwise = {
        .channels = inside, .kernel = 3, .stride = stride, .pad = 1, .groups = inside};
    struct conv_layer project = {.channels = stage->channels, .kernel = 1, .stride = 1};
    bool residual = stride == 1 && inputs == stage->channels;
    int y = block_conv(builder, block, "conv.0", x, &expand);
    y = block_norm(builder, block, "conv.1", y, ACT_RELU);
    y = block_conv(builder, block, "conv.3", y, &depthwise);
    y = block_norm(builder, block, "conv.4", y, ACT_RELU);
    y = block_conv(builder, block, "conv.6", y, &project);
    return block_norm_linear(builder, block, "conv.7", y, residual ? x : NO_VALUE);
}

int mobilenetv2_cifar_build(const struct architecture *architecture, struct builder *builder, int x,
                            int classes) {
    struct conv_layer first = {.channels = 16, .kernel = 3, .stride = 2, .pad = 1};
    struct conv_layer last = {.channels = 1280, .kernel = 1, .stride = 1};
    int y = block_conv(builder, "conv1", "0", x, &first);
    (void)architecture;
    y = block_norm(builder, "conv1", "1", y, ACT_RELU);
    for (size_t s = 0; s < sizeof stages / sizeof stages[0]; s++) {
        for (int i = 0; i < stages[s].blocks; i++) {
            char block[BLOCK_NAME_BYTES];
            snprintf(block, sizeof block, "blocks.%zu.%d", s, i);
            y = inverted_residual(builder, block, y, &stages[s], i ? 1 : stages[s].stride);
        }
    }
    y = block_conv(builder, "conv2", "0", y, &last);
    y = block_norm(builder, "conv2", "1", y, ACT_RELU);
    y = build_global_pool(builder, y);
    return build_linear_layer(
        builder, y, &(struct linear_layer){"classifier.0", classes, INIT_NORMAL_SMALL, INIT_ZERO});
}
