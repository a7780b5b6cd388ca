#include "engine/model/resnet.h"

static int conv(struct builder *builder, int x, struct conv_layer layer) {
    layer.pad = layer.kernel / 2;
    return build_conv(builder, x, &layer);
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
typedef int block_fn(struct builder *builder, int x, const struct group *group, int stride);

static int add_shortcut(struct builder *builder, int x, const struct group *group, int stride) {
    struct conv_layer side = {
        .name = group->side[0], .channels = group->channels, .kernel = 1, .stride = stride};
    if (stride == 1 && build_channels(builder, x) == group->channels)
        return x;
    return build_bn_act(builder, group->side[1], conv(builder, x, side), NO_VALUE, ACT_NONE);
}

static int basic_block(struct builder *builder, int x, const struct group *group, int stride) {
    struct conv_layer first = {
        .name = "conv1", .channels = group->channels, .kernel = 3, .stride = stride};
    struct conv_layer second = {
        .name = "conv2", .channels = group->channels, .kernel = 3, .stride = 1};
    int y = conv(builder, x, first);
    y = build_bn_act(builder, "bn1", y, NO_VALUE, ACT_RELU);
    int side = add_shortcut(builder, x, group, stride);
    y = conv(builder, y, second);
    return build_bn_act(builder, "bn2", y, side, ACT_RELU);
}

/* The 3x3 conv works on a quarter of the channels. */
static int bottleneck(struct builder *builder, int x, const struct group *group, int stride) {
    int inside = group->channels / 4;
    struct conv_layer reduce = {.name = "conv1", .channels = inside, .kernel = 1, .stride = 1};
    struct conv_layer middle = {.name = "conv2", .channels = inside, .kernel = 3, .stride = stride};
    struct conv_layer expand = {
        .name = "conv3", .channels = group->channels, .kernel = 1, .stride = 1};
    int y = conv(builder, x, reduce);
    y = build_bn_act(builder, "bn1", y, NO_VALUE, ACT_RELU);
    y = conv(builder, y, middle);
    y = build_bn_act(builder, "bn2", y, NO_VALUE, ACT_RELU);
    int side = add_shortcut(builder, x, group, stride);
    y = conv(builder, y, expand);
    return build_bn_act(builder, "bn3", y, side, ACT_RELU);
}

static int add_group(struct builder *builder, int number, int x, const struct group *group,
                     block_fn *block) {
    for (int i = 0; i < group->blocks; i++) {
        build_enter(builder, "layer%d.%d.", number, i);
        x = block(builder, x, group, i == 0 ? group->stride : 1);
    }
    build_leave(builder);
    return x;
}

static int stem(struct builder *builder, int x, struct conv_layer layer) {
    layer.name = "conv1";
    return build_bn_act(builder, "bn1", conv(builder, x, layer), NO_VALUE, ACT_RELU);
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
