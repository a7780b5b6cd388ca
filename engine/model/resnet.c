#include "engine/model/resnet.h"

#include "engine/model/layers.h"

#include <stdio.h>

static int conv(struct builder *builder, const char *block, const char *suffix, int x,
                struct conv_layer layer) {
    layer.pad = layer.kernel / 2;
    return block_conv(builder, block, suffix, x, &layer);
}

/* A block of one of the families; it ends with so many channels. */
typedef int block_fn(struct builder *builder, const char *block, int x, int channels, int stride);

static int basic_block(struct builder *builder, const char *block, int x, int channels,
                       int stride) {
    struct conv_layer first = {.channels = channels, .kernel = 3, .stride = stride};
    struct conv_layer second = {.channels = channels, .kernel = 3, .stride = 1};
    struct conv_layer side = {.channels = channels, .kernel = 1, .stride = stride};
    int y = conv(builder, block, "conv1", x, first);
    y = block_norm(builder, block, "bn1", y, ACT_RELU);
    int residual = x;
    if (stride != 1 || channels_of(builder, x) != channels) {
        residual = conv(builder, block, "downsample.0", x, side);
        residual = block_norm(builder, block, "downsample.1", residual, ACT_NONE);
    }
    y = conv(builder, block, "conv2", y, second);
    return block_norm_residual(builder, block, "bn2", y, residual);
}

/* The 3x3 conv works on a quarter of the channels. */
static int bottleneck(struct builder *builder, const char *block, int x, int channels, int stride) {
    struct conv_layer reduce = {.channels = channels / 4, .kernel = 1, .stride = 1};
    struct conv_layer middle = {.channels = channels / 4, .kernel = 3, .stride = stride};
    struct conv_layer expand = {.channels = channels, .kernel = 1, .stride = 1};
    struct conv_layer side = {.channels = channels, .kernel = 1, .stride = stride};
    int y = conv(builder, block, "conv1", x, reduce);
    y = block_norm(builder, block, "bn1", y, ACT_RELU);
    y = conv(builder, block, "conv2", y, middle);
    y = block_norm(builder, block, "bn2", y, ACT_RELU);
    int residual = x;
    if (stride != 1 || channels_of(builder, x) != channels) {
        residual = conv(builder, block, "shortcut.0", x, side);
        residual = block_norm(builder, block, "shortcut.1", residual, ACT_NONE);
    }
    y = conv(builder, block, "conv3", y, expand);
    return block_norm_residual(builder, block, "bn3", y, residual);
}

/* The blocks of one resolution; all groups but the first begin with stride 2. */
static int group(struct builder *builder, int number, int x, int blocks, int channels,
                 block_fn *block) {
    for (int i = 0; i < blocks; i++) {
        char name[BLOCK_NAME_BYTES];
        snprintf(name, sizeof name, "layer%d.%d", number, i);
        x = block(builder, name, x, channels, number > 1 && i == 0 ? 2 : 1);
    }
    return x;
}

static int stem(struct builder *builder, int x, int channels) {
    int y = conv(builder, "", "conv1", x,
                 (struct conv_layer){.channels = channels, .kernel = 3, .stride = 1});
    return block_norm(builder, "", "bn1", y, ACT_RELU);
}

int resnet_build(const struct architecture *architecture, struct builder *builder, int x,
                 int classes) {
    int blocks = (architecture->depth - 2) / 6, width = 16 * architecture->width;
    /* the stem of the x4 networks is 32, not 64: so their first block has a 1x1 shortcut too */
    int y = stem(builder, x, architecture->width == 4 ? 32 : 16);
    for (int i = 0; i < 3; i++)
        y = group(builder, i + 1, y, blocks, width << i, basic_block);
    y = build_global_pool(builder, y);
    return build_linear(builder, "fc", y, classes);
}

int resnet50_cifar_build(const struct architecture *architecture, struct builder *builder, int x,
                         int classes) {
    static const int blocks[] = {3, 4, 6, 3};
    int y = stem(builder, x, 64);
    (void)architecture;
    for (int i = 0; i < 4; i++)
        y = group(builder, i + 1, y, blocks[i], 256 << i, bottleneck);
    y = build_global_pool(builder, y);
    return build_linear(builder, "linear", y, classes);
}
