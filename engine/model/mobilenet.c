#include "engine/model/mobilenet.h"

static struct conv_layer depthwise_layer(const char *name, int channels, int stride) {
    return (struct conv_layer){name, channels, 3, stride, 1, channels};
}

static struct conv_layer pointwise_layer(const char *name, int channels) {
    return (struct conv_layer){name, channels, 1, 1, 0, 1};
}

static struct conv_layer first_layer(const char *name, int channels) {
    return (struct conv_layer){name, channels, 3, 2, 1, 1};
}

/* --- version 1 --- */

static const struct separable {
    int channels, stride;
} separables[] = {
    {64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2},  {512, 1},
    {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1},
};
enum { SEPARABLES = sizeof separables / sizeof separables[0] };

static int add_separable(struct builder *builder, int x, const struct separable *shape) {
    struct conv_layer depthwise = depthwise_layer("0", build_channels(builder, x), shape->stride);
    struct conv_layer pointwise = pointwise_layer("3", shape->channels);
    int y = build_conv_as(builder, x, &depthwise, CONV_FAN_IN);
    y = build_bn_act(builder, "1", y, NO_VALUE, ACT_RELU);
    y = build_conv_as(builder, y, &pointwise, CONV_FAN_IN);
    return build_bn_act(builder, "4", y, NO_VALUE, ACT_RELU);
}

int mobilenetv1_build(const struct architecture *architecture, struct builder *builder, int x,
                      int classes) {
    struct conv_layer first = first_layer("model.0.0", 32);
    int y = build_conv_as(builder, x, &first, CONV_FAN_IN);
    y = build_bn_act(builder, "model.0.1", y, NO_VALUE, ACT_RELU);
    (void)architecture;
    for (int i = 0; i < SEPARABLES; i++) {
        build_enter(builder, "model.%d.", i + 1);
        y = add_separable(builder, y, &separables[i]);
    }
    build_leave(builder);
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

static int unit(struct builder *builder, int x, struct conv_layer layer, const char *norm,
                enum activation act) {
    return build_bn_act(builder, norm, build_conv(builder, x, &layer), NO_VALUE, act);
}

static int inverted_residual(struct builder *builder, int x, const struct stage *stage, int stride,
                             const struct manner *manner) {
    const char *const *expand = manner->expand, *const *depthwise = manner->depthwise;
    int inputs = build_channels(builder, x), inside = inputs * stage->expansion, y = x;
    struct conv_layer project = pointwise_layer(manner->project[0], stage->channels);
    bool residual = stride == 1 && inputs == stage->channels;
    if (expand[0])
        y = unit(builder, y, pointwise_layer(expand[0], inside), expand[1], manner->act);
    y = unit(builder, y, depthwise_layer(depthwise[0], inside, stride), depthwise[1], manner->act);
    y = build_conv(builder, y, &project);
    return build_bn_act(builder, manner->project[1], y, residual ? x : NO_VALUE, ACT_NONE);
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
    int number = 1;
    int y = unit(builder, x, first_layer("features.0.0", 32), "features.0.1", ACT_RELU6);
    (void)architecture;
    for (const struct stage *stage = stages; stage < stages + STAGES; stage++)
        for (int i = 0; i < stage->blocks; i++, number++) {
            build_enter(builder, "features.%d.", number);
            y = inverted_residual(builder, y, stage, i ? 1 : stage->stride,
                                  number == 1 ? &first : &later);
        }
    build_leave(builder);
    y = unit(builder, y, pointwise_layer("features.18.0", LAST_CHANNELS), "features.18.1",
             ACT_RELU6);
    return build_linear_layer(
        builder, build_global_pool(builder, y),
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
    int y = unit(builder, x, first_layer("conv1.0", 16), "conv1.1", ACT_RELU);
    (void)architecture;
    for (int s = 0; s < STAGES; s++)
        for (int i = 0; i < stages[s].blocks; i++) {
            build_enter(builder, "blocks.%d.%d.", s, i);
            y = inverted_residual(builder, y, &stages[s], i ? 1 : stages[s].stride, &manner);
        }
    build_leave(builder);
    y = unit(builder, y, pointwise_layer("conv2.0", LAST_CHANNELS), "conv2.1", ACT_RELU);
    return build_linear_layer(
        builder, build_global_pool(builder, y),
        &(struct linear_layer){"classifier.0", classes, INIT_NORMAL_SMALL, INIT_ZERO});
}
