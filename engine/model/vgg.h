/*
 * vgg.h - VGG with batch norm for CIFAR, as RepDistiller has it: convolutions with bias, one
 * linear layer.
 */
#ifndef ENGINE_MODEL_VGG_H
#define ENGINE_MODEL_VGG_H

#include "engine/model/zoo.h"

/* See architecture_build_fn. depth is 8, 11, 13, 16 or 19. */
int vgg_build(const struct architecture *architecture, struct builder *builder, int x, int classes);

#endif
