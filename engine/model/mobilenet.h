/*
 * mobilenet.h - MobileNetV2 for CIFAR as RepDistiller has it: half the width, plain ReLU.
 */
#ifndef ENGINE_MODEL_MOBILENET_H
#define ENGINE_MODEL_MOBILENET_H

#include "engine/model/zoo.h"

/* See architecture_build_fn; it has no parameters. */
int mobilenetv2_cifar_build(const struct architecture *architecture, struct builder *builder, int x,
                            int classes);

#endif
