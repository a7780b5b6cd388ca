/*
 * layers.h - layers of a block, for the files of this folder: a layer's name is the block's, a dot
 * and the suffix, as in PyTorch's state dicts; an empty block adds nothing.
 */
#ifndef ENGINE_MODEL_LAYERS_H
#define ENGINE_MODEL_LAYERS_H

#include "engine/graph/build.h"

enum { BLOCK_NAME_BYTES = 24 };

/* See build_conv_as; the layer's own name is not used. */
int block_conv_as(struct builder *builder, const char *block, const char *suffix, int x,
                  const struct conv_layer *layer, enum conv_style style);

/* The same without bias, Kaiming normal fan-out initialisation. */
int block_conv(struct builder *builder, const char *block, const char *suffix, int x,
               const struct conv_layer *layer);

/* See build_bn_act; without residual. */
int block_norm(struct builder *builder, const char *block, const char *suffix, int x,
               enum activation act);

/* See build_bn_act; with residual and ReLU. */
int block_norm_residual(struct builder *builder, const char *block, const char *suffix, int x,
                        int residual);

/* See build_bn_act; with an optional residual, without ReLU. */
int block_norm_linear(struct builder *builder, const char *block, const char *suffix, int x,
                      int residual);

/* See build_pre_act. */
int block_pre_act(struct builder *builder, const char *block, const char *suffix, int x);

/* The channels of a value. */
int channels_of(const struct builder *builder, int x);

#endif
