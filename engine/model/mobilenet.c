#include "engine/model/mobilenet.h"

#include "engine/model/layers.h"

#include <stdio.h>

static struct conv_layer depthwise_layer(int channels, int stride) {
    return (struct conv_layer){
        .channels = channels, .kernel = 3, .stride = stride, .pad = 1, .groups = channels};
}

static struct conv_layer pointwise_layer(int channels) {
    return (struct conv_layer){.channels = channels, .kernel = 1, .stride = 1};
}

static struct conv_layer first_layer(int channels) {
    return (struct conv_layer){.channels = channels, .kernel = 3, .stride = 2, .pad = 1};
}

/* --- version 1 --- */

static const struct separable {
    int channels, stride;
} separables[] = {
    {64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2},  {512, 1},
    {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1},
};
enum { SEPARABLES = sizeof separables / sizeof separables[0] };

static int add_separable(struct builder *builder, const char *block, int x,
                         const struct separable *shape) {
    struct conv_layer depthwise = depthwise_layer(channels_of(builder, x), shape->stride);
    struct conv_layer pointwise = pointwise_layer(shape->channels);
    int y = block_conv_as(builder, block, "0", x, &depthwise, CONV_FAN_IN);
    y = block_norm(builder, block, "1", y, ACT_RELU);
    y = block_conv_as(builder, block, "3", y, &pointwise, CONV_FAN_IN);
    return block_norm(builder, block, "4", y, ACT_RELU);
}

int mobilenetv1_build(const struct architecture *architecture, struct builder *builder, int x,
                      int classes) {
    struct conv_layer first = first_layer(32);
    int y = block_conv_as(builder, "model.0", "0", x, &first, CONV_FAN_IN);
    y = block_norm(builder, "model.0", "1", y, ACT_RELU);
    (void)architecture;
    for (int i = 0; i < SEPARABLES; i++) {
        char block[BLOCK_NAME_BYTES];
        snprintf(block, sizeof block, "model.%d", i + 1);
        y = add_separable(builder, block, y, &separables[i]);
    }
    return build_linear(builder, "fc", build_global_pool(builder, y), classes);
}

/* --- version 2 --- */

enum { STAGES = 7, LAST_CHANNELS = 1280 };

/* Inverted residuals: factor of the channels inside, channels, blocks, stride of the first. */
struct stage {
    int expansion, channels, blocks, stride;
};

/* The layers of a block: names of a convolution and its norm, and the activation. */
struct manner {
    const char *expand[2], *depthwise[2], *project[2]; /* without names nothing expands */
    enum activation act;
};

static int unit(struct builder *builder, const char *block, const char *const name[2], int x,
                const struct conv_layer *layer, enum activation act) {
    int y = block_conv(builder, block, name[0], x, layer);
    return block_norm(builder, block, name[1], y, act);
}

static int inverted_residual(struct builder *builder, const char *block, int x,
                             const struct stage *stage, int stride, const struct manner *manner) {
    int inputs = channels_of(builder, x), inside = inputs * stage->expansion, y = x;
    struct conv_layer expand = pointwise_layer(inside);
    struct conv_layer depthwise = depthwise_layer(inside, stride);
    struct conv_layer project = pointwise_layer(stage->channels);
    bool residual = stride == 1 && inputs == stage->channels;
    if (manner->expand[0])
        y = unit(builder, block, manner->expand, y, &expand, manner->act);
    y = unit(builder, block, manner->depthwise, y, &depthwise, manner->act);
    y = block_conv(builder, block, manner->project[0], y, &project);
    return block_norm_linear(builder, block, manner->project[1], y, residual ? x : NO_VALUE);
}

/* The last convolution and the classifier. */
static int finish(struct builder *builder, const char *block, int x, enum activation act,
                  const struct linear_layer *classifier) {
    static const char *const names[] = {"0", "1"};
    struct conv_layer last = pointwise_layer(LAST_CHANNELS);
    int y = unit(builder, block, names, x, &last, act);
    return build_linear_layer(builder, build_global_pool(builder, y), classifier);
}

int mobilenetv2_build(const struct architecture *architecture, struct builder *builder, int x,
                      int classes) {
    static const struct stage stages[STAGES] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2},
                                                {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2},
                                                {6, 320, 1, 1}};
    static const struct manner later = {
        {"conv.0.0", "conv.0.1"}, {"conv.1.0", "conv.1.1"}, {"conv.2", "conv.3"}, ACT_RELU6};
    static const struct manner first = {
        {NULL}, {"conv.0.0", "conv.0.1"}, {"conv.1", "conv.2"}, ACT_RELU6};
    static const char *const names[] = {"0", "1"};
    struct conv_layer stem = first_layer(32);
    char block[BLOCK_NAME_BYTES];
    int y = unit(builder, "features.0", names, x, &stem, ACT_RELU6), number = 1;
    (void)architecture;
    for (const struct stage *stage = stages; stage < stages + STAGES; stage++)
        for (int i = 0; i < stage->blocks; i++, number++) {
            snprintf(block, sizeof block, "features.%d", number);
            y = inverted_residual(builder, block, y, stage, i ? 1 : stage->stride,
                                  number == 1 ? &first : &later);
        }
    snprintf(block, sizeof block, "features.%d", number);
    return finish(builder, block, y, ACT_RELU6,
                  &(struct linear_layer){"classifier.1", classes, INIT_NORMAL_SMALL, INIT_ZERO});
}

/* Half the channels. The first block has a convolution that expands nothing. */
int mobilenetv2_cifar_build(const struct architecture *architecture, struct builder *builder, int x,
                            int classes) {
    static const struct stage stages[STAGES] = {{1, 8, 1, 1},  {6, 12, 2, 1}, {6, 16, 3, 2},
                                                {6, 32, 4, 2}, {6, 48, 3, 1}, {6, 80, 3, 2},
                                                {6, 160, 1, 1}};
    static const struct manner manner = {
        {"conv.0", "conv.1"}, {"conv.3", "conv.4"}, {"conv.6", "conv.7"}, ACT_RELU};
    static const char *const names[] = {"0", "1"};
    struct conv_layer stem = first_layer(16);
    int y = unit(builder, "conv1", names, x, &stem, ACT_RELU);
    (void)architecture;
    for (int s = 0; s < STAGES; s++)
        for (int i = 0; i < stages[s].blocks; i++) {
            char block[BLOCK_NAME_BYTES];
            snprintf(block, sizeof block, "blocks.%d.%d", s, i);
            y = inverted_residual(builder, block, y, &stages[s], i ? 1 : stages[s].stride, &manner);
        }
    return finish(builder, "conv2", y, ACT_RELU,
                  &(struct linear_layer){"classifier.0", classes, INIT_NORMAL_SMALL, INIT_ZERO});
}
