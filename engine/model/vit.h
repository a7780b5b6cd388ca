/*
 * vit.h - vision transformers as timm has them: deit_tiny_patch16_224, deit3_small_patch16_224.
 *
 * Any height and width that are multiples of 16; the position embedding has that size. The
 * classifier sees the class token alone, so the last block computes no other.
 */
#ifndef ENGINE_MODEL_VIT_H
#define ENGINE_MODEL_VIT_H

#include "engine/model/zoo.h"

/* See architecture_build_fn; depth is the number of blocks, width that of a token's channels. */
int deit_build(const struct architecture *architecture, struct builder *builder, int x,
               int classes);

/* The same with layer scale, and no position embedding of the class token. */
int deit3_build(const struct architecture *architecture, struct builder *builder, int x,
                int classes);

#endif
