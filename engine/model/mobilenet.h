/*
 * mobilenet.h - networks of depthwise convolutions: MobileNetV1 with mdistiller's names and
 * MobileNetV2 with torchvision's for ImageNet, RepDistiller's MobileNetV2 for CIFAR.
 *
 * torchvision trains MobileNetV2 with dropout in front of the classifier. Here there is none: in
 * evaluation it does nothing, and the paper's recipes do not use it.
 */
#ifndef ENGINE_MODEL_MOBILENET_H
#define ENGINE_MODEL_MOBILENET_H

#include "engine/model/zoo.h"

/* See architecture_build_fn; they have no parameters. */
int mobilenetv1_build(const struct architecture *architecture, struct builder *builder, int x,
                      int classes);
int mobilenetv2_build(const struct architecture *architecture, struct builder *builder, int x,
                      int classes);

/* Half the width, plain ReLU. */
int mobilenetv2_cifar_build(const struct architecture *architecture, struct builder *builder, int x,
                            int classes);

#endif
