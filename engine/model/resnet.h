/*
 * resnet.h - the CIFAR ResNets of RepDistiller: post-activation blocks, 1x1 shortcuts where the
 * shape changes.
 */
#ifndef ENGINE_MODEL_RESNET_H
#define ENGINE_MODEL_RESNET_H

#include "engine/model/zoo.h"

/* See architecture_build_fn. depth = 6 n + 2; width 4 also has a stem of 32 channels. */
int resnet_build(const struct architecture *architecture, struct builder *builder, int x,
                 int classes);

/* 50 layers in bottlenecks, four resolutions; the stem keeps that of the picture. */
int resnet50_cifar_build(const struct architecture *architecture, struct builder *builder, int x,
                         int classes);

#endif
