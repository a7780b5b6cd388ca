/*
 * resnet.h - residual networks with post-activation blocks and 1x1 shortcuts where the shape
 * changes: RepDistiller's for CIFAR, torchvision's for ImageNet.
 */
#ifndef ENGINE_MODEL_RESNET_H
#define ENGINE_MODEL_RESNET_H

#include "engine/model/zoo.h"

/* See architecture_build_fn. For CIFAR: depth = 6 n + 2; width 4 also has a stem of 32 channels. */
int resnet_cifar_build(const struct architecture *architecture, struct builder *builder, int x,
                       int classes);

/* 50 layers in bottlenecks, four resolutions; the stem keeps that of the picture. */
int resnet50_cifar_build(const struct architecture *architecture, struct builder *builder, int x,
                         int classes);

/* For ImageNet: depth 18, 34, 50, 101 or 152, the last three in bottlenecks. The stem quarters the
 * picture; a bottleneck's stride is on its 3x3 convolution, as in torchvision's version 1. */
int resnet_build(const struct architecture *architecture, struct builder *builder, int x,
                 int classes);

#endif
