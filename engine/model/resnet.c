#include "engine/model/resnet.h"

#include "engine/model/layers.h"

#include <stdio.h>

static int conv(struct builder *builder, const char *block, const char *suffix, int x,
                struct conv_layer layer) {
    layer.pad = layer.kernel / 2;
    return block_conv(builder, block, suffix, x, &layer);
}

/* --- blocks --- */

/* What a block's shortcut is called where it has a convolution and a norm. */
static const char *const downsample[] = {"downsample.0", "downsample.1"}, *const shortcut[] = {
                                                                              "shortcut.0",
                                                                              "shortcut.1"};

/* The blocks of one resolution. */
struct group {
    int blocks, channels, stride; /* stride of the first block */
    const char *const *side;      /* names of the shortcut's layers */
};

/* Appends a block that ends with so many channels. */
typedef int block_fn(struct builder *builder, const char *block, int x, const struct group *group,
                     int stride);

static int add_shortcut(struct builder *builder, const char *block, int x,
                        const struct group *group, int stride) {
    struct conv_layer side = {.channels = group->channels, .kernel = 1, .stride = stride};
    if (stride == 1 && channels_of(builder, x) == group->channels)
        return x;
    int y = conv(builder, block, group->side[0], x, side);
    return block_norm(builder, block, group->side[1], y, ACT_NONE);
}

static int basic_block(struct builder *builder, const char *block, int x, const struct group *group,
                       int stride) {
    struct conv_layer first = {.channels = group->channels, .kernel = 3, .stride = stride};
    struct conv_layer second = {.channels = group->channels, .kernel = 3, .stride = 1};
    int y = conv(builder, block, "conv1", x, first);
    y = block_norm(builder, block, "bn1", y, ACT_RELU);
    int side = add_shortcut(builder, block, x, group, stride);
    y = conv(builder, block, "conv2", y, second);
    return block_norm_residual(builder, block, "bn2", y, side);
}

/* The 3x3 conv works on a quarter of the channels. */
static int bottleneck(struct builder *builder, const char *block, int x, const struct group *group,
                      int stride) {
    int inside = group->channels / 4;
    struct conv_layer reduce = {.channels = inside, .kernel = 1, .stride = 1};
    struct conv_layer middle = {.channels = inside, .kernel = 3, .stride = stride};
    struct conv_layer expand = {.channels = group->channels, .kernel = 1, .stride = 1};
    int y = conv(builder, block, "conv1", x, reduce);
    y = block_norm(builder, block, "bn1", y, ACT_RELU);
    y = conv(builder, block, "conv2", y, middle);
    y = block_norm(builder, block, "bn2", y, ACT_RELU);
    int side = add_shortcut(builder, block, x, group, stride);
    y = conv(builder, block, "conv3", y, expand);
    return block_norm_residual(builder, block, "bn3", y, side);
}

static int add_group(struct builder *builder, int number, int x, const struct group *group,
                     block_fn *block) {
    for (int i = 0; i < group->blocks; i++) {
        char name[BLOCK_NAME_BYTES];
        snprintf(name, sizeof name, "layer%d.%d", number, i);
        x = block(builder, name, x, group, i == 0 ? group->stride : 1);
    }
    return x;
}

static int stem(struct builder *builder, int x, struct conv_layer layer) {
    int y = conv(builder, "", "conv1", x, layer);
    return block_norm(builder, "", "bn1", y, ACT_RELU);
}

/* --- CIFAR --- */

int resnet_cifar_build(const struct architecture *architecture, struct builder *builder, int x,
                       int classes) {
    int blocks = (architecture->depth - 2) / 6, width = 16 * architecture->width;
    /* the stem of the x4 networks is 32, not 64: so their first block has a 1x1 shortcut too */
    int channels = architecture->width == 4 ? 32 : 16;
    int y = stem(builder, x, (struct conv_layer){.channels = channels, .kernel = 3, .stride = 1});
    for (int i = 0; i < 3; i++) {
        struct group group = {blocks, width << i, i ? 2 : 1, downsample};
        y = add_group(builder, i + 1, y, &group, basic_block);
    }
    y = build_global_pool(builder, y);
    return build_linear(builder, "fc", y, classes);
}

enum { GROUPS = 4 };

int resnet50_cifar_build(const struct architecture *architecture, struct builder *builder, int x,
                         int classes) {
    static const int blocks[GROUPS] = {3, 4, 6, 3};
    int y = stem(builder, x, (struct conv_layer){.channels = 64, .kernel = 3, .stride = 1});
    (void)architecture;
    for (int i = 0; i < GROUPS; i++) {
        struct group group = {blocks[i], 256 << i, i ? 2 : 1, shortcut};
        y = add_group(builder, i + 1, y, &group, bottleneck);
    }
    y = build_global_pool(builder, y);
    return build_linear(builder, "linear", y, classes);
}

/* --- ImageNet --- */

static const struct plan {
    int depth, blocks[GROUPS], channels; /* of the first group */
    block_fn *block;
} plans[] = {
    {18, {2, 2, 2, 2}, 64, basic_block},   {34, {3, 4, 6, 3}, 64, basic_block},
    {50, {3, 4, 6, 3}, 256, bottleneck},   {101, {3, 4, 23, 3}, 256, bottleneck},
    {152, {3, 8, 36, 3}, 256, bottleneck},
};

static const struct plan *plan_of(int depth) {
    size_t i = 0;
    while (plans[i].depth != depth)
        CHECK(++i < sizeof plans / sizeof plans[0]);
    return &plans[i];
}

int resnet_build(const struct architecture *architecture, struct builder *builder, int x,
                 int classes) {
    const struct plan *plan = plan_of(architecture->depth);
    int y = stem(builder, x, (struct conv_layer){.channels = 64, .kernel = 7, .stride = 2});
    y = build_pool(builder, y, &(struct pool_attr){.kernel = 3, .stride = 2, .pad = 1});
    for (int i = 0; i < GROUPS; i++) {
        struct group group = {plan->blocks[i], plan->channels << i, i ? 2 : 1, downsample};
        y = add_group(builder, i + 1, y, &group, plan->block);
    }
    y = build_global_pool(builder, y);
    return build_linear(builder, "fc", y, classes);
}
