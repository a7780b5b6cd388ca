#include "engine/model/shufflenet.h"

enum { STAGES = 3, STEM_CHANNELS = 24 };

static const int stage_blocks[STAGES] = {4, 8, 4};

static int pointwise(struct builder *builder, const char *name, int x, int channels, int groups) {
    struct conv_layer layer = {name, channels, 1, 1, 0, groups};
    return build_conv_as(builder, x, &layer, CONV_FAN_IN);
}

static int depthwise(struct builder *builder, const char *name, int x, int stride) {
    int channels = build_channels(builder, x);
    struct conv_layer layer = {name, channels, 3, stride, 1, channels};
    return build_conv_as(builder, x, &layer, CONV_FAN_IN);
}

/* 1x1 conv with batch norm and ReLU. */
static int mix(struct builder *builder, const char *const name[2], int x, int channels) {
    int y = pointwise(builder, name[0], x, channels, 1);
    return build_bn_act(builder, name[1], y, NO_VALUE, ACT_RELU);
}

static const char *const name1[] = {"conv1", "bn1"}, *const name2[] = {"conv2", "bn2"},
                         *const name3[] = {"conv3", "bn3"}, *const name5[] = {"conv5", "bn5"};

typedef int block_fn(struct builder *builder, int x, int channels, bool down);

/* 1x1 conv to 24 channels, then three stages, each of which begins by halving the picture. */
static int trunk(struct builder *builder, int x, const int channels[STAGES], block_fn *block) {
    int y = mix(builder, name1, x, STEM_CHANNELS);
    for (int stage = 0; stage < STAGES; stage++)
        for (int i = 0; i < stage_blocks[stage]; i++) {
            build_enter(builder, "layer%d.%d.", stage + 1, i);
            y = block(builder, y, channels[stage], i == 0);
        }
    build_leave(builder);
    return y;
}

/* --- version 1 --- */

/* Halving, the block's input, averaged, stands beside what was computed. Both are activated: an
 * average of activated numbers is not negative, so that the ReLU of the whole is one of the branch
 * alone. */
static int bottleneck(struct builder *builder, int x, int channels, bool down) {
    int inputs = build_channels(builder, x), outputs = down ? channels - inputs : channels;
    int groups = inputs == STEM_CHANNELS ? 1 : 3, inside = outputs / 4;
    int y = pointwise(builder, "conv1", x, inside, groups);
    y = build_bn_act(builder, "bn1", y, NO_VALUE, ACT_RELU);
    if (groups > 1)
        y = build_channel_shuffle(builder, y, groups);
    y = depthwise(builder, "conv2", y, down ? 2 : 1);
    y = build_bn_act(builder, "bn2", y, NO_VALUE, ACT_RELU);
    y = pointwise(builder, "conv3", y, outputs, 3);
    if (!down)
        return build_bn_act(builder, "bn3", y, x, ACT_RELU);
    y = build_bn_act(builder, "bn3", y, NO_VALUE, ACT_RELU);
    return build_concat(builder, y, build_pool(builder, x, &(struct pool_attr){3, 2, 1, true}));
}

int shufflenetv1_build(const struct architecture *architecture, struct builder *builder, int x,
                       int classes) {
    static const int channels[STAGES] = {240, 480, 960};
    int y = trunk(builder, x, channels, bottleneck);
    (void)architecture;
    return build_linear(builder, "linear", build_global_pool(builder, y), classes);
}

/* --- version 2 --- */

/* Both branches halve the picture. */
static int down_block(struct builder *builder, int x, int channels) {
    int left = depthwise(builder, "conv1", x, 2);
    left = build_bn_act(builder, "bn1", left, NO_VALUE, ACT_NONE);
    left = mix(builder, name2, left, channels / 2);
    int right = mix(builder, name3, x, channels / 2);
    right = depthwise(builder, "conv4", right, 2);
    right = build_bn_act(builder, "bn4", right, NO_VALUE, ACT_NONE);
    right = mix(builder, name5, right, channels / 2);
    return build_channel_shuffle(builder, build_concat(builder, left, right), 2);
}

/* One half of the channels passes, the other is worked on. */
static int half_block(struct builder *builder, int x, int channels) {
    int half[2];
    build_split(builder, x, channels / 2, half);
    int y = mix(builder, name1, half[1], channels / 2);
    y = depthwise(builder, "conv2", y, 1);
    y = build_bn_act(builder, "bn2", y, NO_VALUE, ACT_NONE);
    y = mix(builder, name3, y, channels / 2);
    return build_channel_shuffle(builder, build_concat(builder, half[0], y), 2);
}

static int v2_block(struct builder *builder, int x, int channels, bool down) {
    return (down ? down_block : half_block)(builder, x, channels);
}

int shufflenetv2_build(const struct architecture *architecture, struct builder *builder, int x,
                       int classes) {
    static const int channels[STAGES] = {116, 232, 464};
    int y = trunk(builder, x, channels, v2_block);
    (void)architecture;
    y = mix(builder, name2, y, 1024);
    return build_linear(builder, "linear", build_global_pool(builder, y), classes);
}
