#include "engine/model/vgg.h"

#include <stdio.h>

enum { BLOCKS = 5 };

static const int block_channels[BLOCKS] = {64, 128, 256, 512, 512};

/* Convolutions of each block. */
static const struct plan {
    int depth, convs[BLOCKS];
} plans[] = {
    {8, {1, 1, 1, 1, 1}},  {11, {1, 1, 2, 2, 2}}, {13, {2, 2, 2, 2, 2}},
    {16, {2, 2, 3, 3, 3}}, {19, {2, 2, 4, 4, 4}},
};

static const int *convs_of(int depth) {
    size_t i = 0;
    while (plans[i].depth != depth)
        CHECK(++i < sizeof plans / sizeof plans[0]);
    return plans[i].convs;
}

static int block(struct builder *builder, int number, int x, int convs) {
    char name[12];
    struct conv_layer layer = {
        .name = name, .channels = block_channels[number], .kernel = 3, .stride = 1, .pad = 1};
    build_enter(builder, "block%d.", number);
    for (int i = 0; i < convs; i++) { /* the original counts conv, norm and ReLU */
        snprintf(name, sizeof name, "%d", 3 * i);
        x = build_conv_as(builder, x, &layer, CONV_FAN_OUT_BIAS);
        snprintf(name, sizeof name, "%d", 3 * i + 1);
        x = build_bn_act(builder, name, x, NO_VALUE, ACT_RELU);
    }
    build_leave(builder);
    return x;
}

/* The fourth block is followed by pooling for pictures 64 pixels high only, and not where nothing
 * is left to pool; the last one never. */
static bool is_pooled(int number, int height, int width) {
    return number < 3 || (number == 3 && height == 64 && width > 1);
}

int vgg_build(const struct architecture *architecture, struct builder *builder, int x,
              int classes) {
    const int *convs = convs_of(architecture->depth);
    int height = builder->program->value[x].shape.h, y = x;
    for (int i = 0; i < BLOCKS; i++) {
        y = block(builder, i, y, convs[i]);
        if (is_pooled(i, height, builder->program->value[y].shape.w))
            y = build_pool(builder, y, &(struct pool_attr){2, 2, 0, false});
    }
    y = build_global_pool(builder, y);
    return build_linear_layer(
        builder, y, &(struct linear_layer){"classifier", classes, INIT_NORMAL_SMALL, INIT_ZERO});
}
