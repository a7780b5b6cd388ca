/*
 * shufflenet.h - ShuffleNetV1 (3 groups) and ShuffleNetV2 (1x) for CIFAR as RepDistiller has them.
 */
#ifndef ENGINE_MODEL_SHUFFLENET_H
#define ENGINE_MODEL_SHUFFLENET_H

#include "engine/model/zoo.h"

/* See architecture_build_fn; they have no parameters. */
int shufflenetv1_build(const struct architecture *architecture, struct builder *builder, int x,
                       int classes);
int shufflenetv2_build(const struct architecture *architecture, struct builder *builder, int x,
                       int classes);

#endif
